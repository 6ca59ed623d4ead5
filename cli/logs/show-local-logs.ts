import { setTimeout } from "node:timers/promises";
import { StateDirectory } from "../../local/state-directory.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import type { LogsOptions } from "../commands/logs.ts";
import { inOrder, LocalLog, type RunLine } from "./local-log.ts";
import { LogPrinter } from "./printer.ts";

const POLL_MILLISECONDS = 200;

/** An engine that was replaced, as `sluice dev` does after a change, is back within this time. */
const WITHOUT_ENGINE_MILLISECONDS = 5_000;

/** The logs of a workflow on this machine, with the lines that are there. */
interface Found {
  readonly state: StateDirectory;
  /** The run that the user means; `undefined`: all runs. */
  readonly run: string | undefined;
  readonly logs: readonly LocalLog[];
  readonly lines: readonly RunLine[];
}

/**
 * Prints the log of a run on this machine. The logs are read as files, so the command works beside any other command.
 *
 * @returns How many lines it printed.
 * @throws {ConfigurationError} There is no such run or workflow here.
 */
export async function showLocalLogs(
  wanted: string | undefined,
  { item, error, follow, json }: LogsOptions,
  interrupted: AbortSignal,
): Promise<number> {
  const { state, run, logs, lines } = find(wanted, follow);
  const printer = new LogPrinter({ run, item, onlyErrors: error }, { json });
  printer.print(lines);
  let engineSeenAt = Date.now();
  while (follow && !interrupted.aborted) {
    const hasEngine = state.lockOwner()?.use === "engine";
    if (hasEngine) engineSeenAt = Date.now();
    printer.print(inOrder(logs.map((log) => log.read())));
    if (Date.now() - engineSeenAt > (run === undefined ? WITHOUT_ENGINE_MILLISECONDS : 0) && !hasEngine) break;
    await setTimeout(POLL_MILLISECONDS, undefined, { signal: interrupted }).catch(() => {});
  }
  printer.end();
  return printer.printed;
}

function find(wanted: string | undefined, follow: boolean): Found {
  const all = StateDirectory.all();
  const [latest] = all;
  if (latest === undefined) {
    throw new ConfigurationError(
      "no workflow has been run here, so there are no logs. Run one with: npx sluice run <workflow>",
    );
  }
  if (wanted === undefined) return read(latest, follow ? undefined : latest.origin?.run);
  const named = all.find(({ origin }) => origin?.workflow === wanted || origin?.name === wanted);
  if (named !== undefined) return read(named, named.origin?.run);
  for (const state of all) {
    const found = read(state, wanted);
    if (state.origin?.run === wanted || found.lines.some(({ run }) => run === wanted)) return found;
  }
  throw new ConfigurationError(
    `there is no run or workflow "${wanted}" in the logs here: they keep the latest lines only. List the runs with: npx sluice status`,
  );
}

function read(state: StateDirectory, run: string | undefined): Found {
  const logs = (["producer", "consumer"] as const).map((name) => new LocalLog(state.logFile(name), name));
  return { state, run, logs, lines: inOrder(logs.map((log) => log.read())) };
}
