import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Summary } from "../../cli/screens/summary.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly items: number;
  /** Default: `bench/workflows/noop.ts`. */
  readonly workflow?: string;
}

interface Line {
  readonly type: string;
  readonly produced: number;
  readonly succeeded: number;
  readonly dead: number;
}

const LONGEST_OUTPUT_BYTES = 64 * 1_048_576;
const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

// `sluice run` itself, over no-op tasks: what its summary and its lines with `--json` tell.
await side<Input>(async ({ items, workflow = "bench/workflows/noop.ts" }, directory) => {
  const command = [pathOf("cli/sluice.ts"), "run", pathOf(workflow), "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, command, {
    cwd: directory,
    env: { ...process.env, SLUICE_BENCH_ITEMS: String(items) },
    maxBuffer: LONGEST_OUTPUT_BYTES,
  });
  const lines = stdout
    .trim()
    .split("\n")
    .map((line): Line => JSON.parse(line));
  const summary = lines.at(-1) as unknown as Summary;
  if (summary.succeeded !== items) throw new Error(`only ${summary.succeeded} of ${items} items succeeded`);
  const backlogs = lines
    .filter(({ type }) => type === "progress")
    .map(({ produced, succeeded, dead }) => produced - succeeded - dead);
  return {
    producerMb: summary.memoryMb.producer,
    consumerMb: summary.memoryMb.consumer,
    backlog: Math.max(0, ...backlogs),
    tasksPerSecond: items / summary.wallSeconds,
  };
});
