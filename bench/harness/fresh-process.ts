import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Side } from "./row.ts";

/** What a side reported. */
export type Metrics = Readonly<Record<string, number>>;

/** Far beyond the longest side: what takes longer hangs. */
const LONGEST_MILLISECONDS = 30 * 60_000;

/**
 * Runs a side in a process of its own.
 *
 * @throws It ended without a report: with what it wrote on its standard error.
 */
export async function runSide({ name, program, input }: Side): Promise<Metrics> {
  const file = fileURLToPath(new URL(`../sides/${program}`, import.meta.url));
  const child = fork(file, [JSON.stringify(input)], {
    execArgv: ["--no-warnings", "--enable-source-maps"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    timeout: LONGEST_MILLISECONDS,
  });
  let metrics: Metrics | undefined;
  let errors = "";
  child.on("message", (message) => {
    metrics = message as Metrics;
  });
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
  });
  const { promise: closed, resolve, reject } = Promise.withResolvers<string>();
  child.once("error", reject);
  child.once("close", (code, signal) => resolve(signal ?? `code ${code}`));
  const end = await closed;
  if (metrics !== undefined) return metrics;
  throw new Error(`${name} (${program}) ended with ${end} and no result:\n${errors}`);
}
