import type { Counts, RunRecord } from "../../shared/ledger/run-record.ts";
import type { FleetFacts } from "../../shared/observe/fleet-facts.ts";
import { type RunNote, runNotes } from "../../shared/observe/run-notes.ts";
import { statusText, wallSecondsOf } from "../../shared/observe/run-status.ts";
import type { RunTarget } from "../targets/target.ts";
import { count, seconds, style, table, warningLine } from "./format.ts";
import { oneLine, printable } from "./printable.ts";

/** One run for people: its status, what went wrong, its counts and its times. */
export function runDetails(target: RunTarget, counts: Counts, fleet?: FleetFacts): string {
  const { run, name } = target;
  const { produced, succeeded, dead, cancelled, retried, pending, deadByReason } = counts;
  const wallSeconds = wallSecondsOf(run);
  const reasons = Object.entries(deadByReason).map(([reason, number]) => [`dead: ${reason}`, count(number)]);
  return [
    `${style("bold", run.workflow)} · run ${run.id} · ${style("bold", statusText(target))}`,
    ...runNotes(target, counts, fleet).flatMap((note) => noteLine(note, name)),
    table([
      ["produced", count(produced), ...(run.checkpoint.ended ? [] : ["so far"])],
      ...partitionsLine(run),
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

function noteLine({ kind, text }: RunNote, name: string): string[] {
  switch (kind) {
    case "interrupted":
      return [style("yellow", `${text} Continue it with: npx sluice resume ${name}`)];
    case "failure":
      return [style("red", printable(text))];
    case "slices":
      return [style("yellow", printable(text))];
    case "warning":
      return [warningLine(text)];
    // `status` does not show it: the summary of the run did.
    case "completion":
      return [];
    default:
      return [style("yellow", oneLine(text))];
  }
}

/** How many partitions of the source are read, while the run reads them. */
const partitionsLine = ({ partitions, partitionsRead }: RunRecord): string[][] =>
  partitions === undefined || partitionsRead === undefined
    ? []
    : [["partitions", count(partitionsRead), `of ${count(partitions)} are read`]];
