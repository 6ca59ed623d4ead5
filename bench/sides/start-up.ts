import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Metrics } from "../harness/fresh-process.ts";
import { side } from "../harness/side.ts";

type Input =
  /** CPU time of a command that ends by itself. */
  | { readonly command: "help" | "version" | "commander"; readonly times: number }
  /** `npm start`, several times in one directory. */
  | { readonly command: "npm start"; readonly times: number };

/** What `npx sluice` and `npm start` run. */
const CLI = fileURLToPath(new URL("../../bin/sluice.js", import.meta.url));
const WORKFLOW = fileURLToPath(new URL("../workflows/first-task.ts", import.meta.url));
const TICK_MILLISECONDS = 10;

/** A program that loads commander and parses a command line. It must stand inside the repository to find commander. */
const COMMANDER = [
  "--input-type=module",
  "-e",
  'import { Command } from "commander"; new Command("x").parse([], { from: "user" });',
];

const COMMANDS = {
  help: [CLI, "--help"],
  version: [CLI, "--version"],
  commander: COMMANDER,
} as const;

/** The CPU time of all child processes that have ended, in milliseconds. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function childrenCpuMilliseconds(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) * TICK_MILLISECONDS;
}

async function cpuOf(command: keyof typeof COMMANDS, times: number): Promise<Metrics> {
  const run = async () => {
    const child = spawn(process.execPath, COMMANDS[command], { cwd: dirname(CLI), stdio: "ignore" });
    await once(child, "exit");
    if (child.exitCode !== 0) throw new Error(`${command} ended with ${child.exitCode}`);
  };
  // The first run reads the files from the disk.
  await run();
  const before = childrenCpuMilliseconds();
  for (let time = 0; time < times; time++) await run();
  return { cpuMilliseconds: (childrenCpuMilliseconds() - before) / times };
}

interface Start {
  readonly firstLine: number;
  readonly firstTask: number;
  readonly longestSilence: number;
}

async function npmStart(directory: string): Promise<Start> {
  const file = join(directory, "first-task");
  rmSync(file, { force: true });
  const startedAt = Date.now();
  const child = spawn("npm", ["start"], {
    cwd: directory,
    env: { ...process.env, SLUICE_BENCH_FIRST_TASK: file, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  /** When something was printed, apart from npm's own lines, which begin with ">". */
  const printedAt: number[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      const lines = chunk.toString().split("\n");
      if (lines.some((line) => line !== "" && !line.startsWith(">"))) printedAt.push(Date.now());
    });
  }
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`npm start ended with ${code}`);
  const firstTaskAt = Number(readFileSync(file, "utf8"));
  const times = [startedAt, ...printedAt.filter((at) => at < firstTaskAt), firstTaskAt];
  return {
    firstLine: (printedAt[0] ?? Number.NaN) - startedAt,
    firstTask: firstTaskAt - startedAt,
    longestSilence: Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at))),
  };
}

/** The median of some numbers. */
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

async function npmStarts(directory: string, times: number): Promise<Metrics> {
  const script = `"${process.execPath}" "${CLI}" run "${WORKFLOW}"`;
  writeFileSync(join(directory, "package.json"), JSON.stringify({ private: true, scripts: { start: script } }));
  const first = await npmStart(directory);
  const later: Start[] = [];
  for (let time = 0; time < times; time++) later.push(await npmStart(directory));
  return {
    firstSilence: first.longestSilence,
    firstLine: median(later.map(({ firstLine }) => firstLine)),
    firstTask: median(later.map(({ firstTask }) => firstTask)),
    silence: median(later.map(({ longestSilence }) => longestSilence)),
  };
}

await side<Input>(({ command, times }, directory) =>
  command === "npm start" ? npmStarts(directory, times) : cpuOf(command, times),
);
