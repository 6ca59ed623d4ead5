import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SLUICE_JS = fileURLToPath(new URL("../../bin/sluice.js", import.meta.url));

export interface MeasuredCommand {
  readonly stdout: string;
  readonly seconds: number;
  /** Of all processes of the command. */
  readonly cpuSeconds: number;
  /** Of the largest process of the command, 10⁶ bytes each. */
  readonly memoryMb: number;
}

/** Runs a command of `sluice` in a directory, and measures what it used. */
export async function measuredCommand(directory: string, words: readonly string[]): Promise<MeasuredCommand> {
  const usages = join(directory, "usages");
  const began = performance.now();
  const { stdout } = await promisify(execFile)(process.execPath, [SLUICE_JS, ...words], {
    cwd: directory,
    env: {
      ...process.env,
      NODE_OPTIONS: `--import=${new URL("./peak-memory.ts", import.meta.url)}`,
      PEAK_MEMORY_FILE: usages,
    },
  });
  const seconds = (performance.now() - began) / 1_000;
  const lines = readFileSync(usages, "utf8").trim().split("\n");
  const processes = lines.map((line) => line.split(" ").map(Number));
  return {
    stdout,
    seconds,
    cpuSeconds: processes.reduce((sum, [, cpu = 0]) => sum + cpu, 0),
    memoryMb: (Math.max(...processes.map(([kilobytes = 0]) => kilobytes)) * 1_024) / 1e6,
  };
}
