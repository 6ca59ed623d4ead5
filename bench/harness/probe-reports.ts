import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** What the probe noted of one invocation. Times in milliseconds since 1970. */
export interface InvocationReport {
  readonly function: "producer" | "consumer";
  readonly startedAt: number;
  readonly endedAt: number;
  /** In the event, and those of them that were reported failed. */
  readonly records: number;
  readonly failed: number;
  /** Attempts as they began (+1) and ended (-1). None where they are not noted. */
  readonly attempts: readonly (readonly [at: number, change: 1 | -1])[];
  /** Requests to AWS by action, such as `AmazonSQS.ReceiveMessage`. */
  readonly requests: Readonly<Record<string, number>>;
  readonly cpuSeconds: number;
}

export const PROBE_DIRECTORY = "SLUICE_BENCH_PROBES";
export const PROBE_ATTEMPTS = "SLUICE_BENCH_PROBE_ATTEMPTS";

/**
 * Environment variables that put the probe into execution environments, its reports going to a directory.
 *
 * @param attempts Whether it notes each attempt. That takes as long as some of what a task without work costs.
 */
export function probeVariables(directory: string, attempts = true): Record<string, string> {
  mkdirSync(directory, { recursive: true });
  const probe = new URL("./probe.ts", import.meta.url).href;
  return {
    [PROBE_DIRECTORY]: directory,
    [PROBE_ATTEMPTS]: attempts ? "1" : "",
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=${probe}`.trim(),
  };
}

export const reportFile = (directory: string, bundle: string): string =>
  join(directory, `${basename(bundle).includes("producer") ? "producer" : "consumer"}-${process.pid}.jsonl`);

export function readReports(directory: string): readonly InvocationReport[] {
  const files = existsSync(directory) ? readdirSync(directory) : [];
  const reports = files.flatMap((file) =>
    readFileSync(join(directory, file), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line): InvocationReport => JSON.parse(line)),
  );
  if (reports.length === 0) throw new Error(`the probe reported no invocation in ${directory}`);
  return reports;
}
