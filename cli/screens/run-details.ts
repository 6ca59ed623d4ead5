import type { Counts, RunRecord } from "../../shared/ledger/run-record.ts";
import { sameFailureOf } from "../../shared/ledger/same-failure.ts";
import { isInterrupted, statusText, wallSecondsOf } from "../runs/run-status.ts";
import type { FleetFacts } from "../targets/fleet.ts";
import type { RunTarget } from "../targets/target.ts";
import { count, seconds, style, table, timeOf, warningLine } from "./format.ts";
import { oneLine, printable } from "./printable.ts";

/** One run for people: its status, what went wrong, its counts and its times. */
export function runDetails(target: RunTarget, counts: Counts, fleet?: FleetFacts): string {
  const { run, name } = target;
  const { produced, succeeded, dead, cancelled, retried, pending, deadByReason } = counts;
  const wallSeconds = wallSecondsOf(run);
  const sameFailure = sameFailureOf(run, counts);
  const reasons = Object.entries(deadByReason).map(([reason, number]) => [`dead: ${reason}`, count(number)]);
  return [
    `${style("bold", run.workflow)} · run ${run.id} · ${style("bold", statusText(target))}`,
    ...(isInterrupted(target)
      ? [style("yellow", `No engine is working on this run. Continue it with: npx sluice resume ${name}`)]
      : []),
    ...(run.failure === undefined ? [] : [style("red", printable(run.failure))]),
    ...(run.sliceError === undefined || run.failedSlices === 0
      ? []
      : [style("yellow", `the source failed ${run.failedSlices} times: ${printable(run.sliceError)}`)]),
    ...codeChangeLine(run),
    ...waitLine(run),
    ...silentSourceLine(target),
    ...(fleet?.held === undefined ? [] : [style("yellow", `the fleet is ${fleet.held}`)]),
    ...run.warnings.map(warningLine),
    ...(sameFailure === undefined ? [] : [style("yellow", oneLine(sameFailure))]),
    table([
      ["produced", count(produced), ...(run.checkpoint.ended ? [] : ["so far"])],
      ["succeeded", count(succeeded)],
      ["dead", count(dead)],
      ...reasons,
      ...(cancelled > 0 ? [["cancelled", count(cancelled)]] : []),
      ["pending", count(pending)],
      ["retried", count(retried)],
      ...(fleet !== undefined && fleet.throttled > 0 ? [["throttled", count(fleet.throttled), "in all runs"]] : []),
    ]),
    `  requested  ${run.requestedAt}`,
    ...(run.codeVersion === undefined ? [] : [`  code       ${run.codeVersion}`]),
    ...(run.completedAt === undefined ? [] : [`  ended      ${run.completedAt}`]),
    ...(wallSeconds === undefined ? [] : [`  wall time  ${seconds(wallSeconds)}`]),
  ].join("\n");
}

/** Says that code of another version worked on the run than the one that began it. */
export function codeChangeLine({ codeVersion, codeChange }: Pick<RunRecord, "codeVersion" | "codeChange">): string[] {
  if (codeVersion === undefined || codeChange === undefined) return [];
  const { version, at } = codeChange;
  return [
    style(
      "yellow",
      `the code changed under way: the run began with ${codeVersion}, and ${version} worked on it at ${timeOf(at)}`,
    ),
  ];
}

/** A source that has yielded no page for longer is mentioned. */
const SILENT_SOURCE_MILLISECONDS = 60_000;

/** How long ago the latest page was read, if the producer reads the source and gets no page. */
function silentSourceLine({ run, running }: RunTarget, now = Date.now()): string[] {
  const { status, checkpoint, checkpointAt = Date.parse(run.requestedAt), wait, fullAt } = run;
  if (!running || status !== "running" || checkpoint.ended || wait !== undefined) return [];
  // The producer pauses while the queue is full.
  if (fullAt !== undefined && fullAt.at >= checkpointAt) return [];
  if (now - checkpointAt < SILENT_SOURCE_MILLISECONDS) return [];
  const age = seconds((now - checkpointAt) / 1_000);
  return [style("yellow", `the source has yielded no page for ${age}, since ${timeOf(checkpointAt, now)}`)];
}

/** Until when the source's service asked to wait, while the run waits. */
function waitLine({ status, wait, checkpoint }: RunRecord): string[] {
  if (wait === undefined || checkpoint.ended || status !== "running") return [];
  return [style("yellow", `the source asks to wait until ${timeOf(wait.until)}: ${oneLine(wait.reason)}`)];
}
