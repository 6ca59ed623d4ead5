import type { Counts, RunRecord } from "../../shared/ledger/run-record.ts";
import type { FleetFacts } from "../../shared/observe/fleet-facts.ts";
import { type RunNote, runNotes } from "../../shared/observe/run-notes.ts";
import { statusText, wallSecondsOf } from "../../shared/observe/run-status.ts";
import type { RunTarget } from "../targets/target.ts";
import { brokenAt, firstLines } from "./first-lines.ts";
import { count, plural, seconds, style, table, warningLine } from "./format.ts";
import { oneLine, printable } from "./printable.ts";
import { widthOf } from "./terminal-width.ts";

/** How many lines a terminal shows of one note, and how many warnings. */
const SHORT = { note: 3, warnings: 3 } as const;

export interface RunLayout {
  /** The width at which long notes are broken and cut. Left out: they stay whole. */
  readonly cutAt?: number | undefined;
}

/** The layout for the standard output. */
export const terminalLayout = (): RunLayout => (process.stdout.isTTY ? { cutAt: widthOf(process.stdout) } : {});

/** Which run it is, and its status. */
export const runHeadline = (target: RunTarget): string =>
  `${style("bold", target.run.workflow)} · run ${target.run.id} · ${style("bold", statusText(target))}`;

/** One run for people: its status, what went wrong, its counts and its times. */
export function runDetails(target: RunTarget, counts: Counts, fleet?: FleetFacts, { cutAt }: RunLayout = {}): string {
  const { run } = target;
  const { produced, succeeded, dead, cancelled, retried, pending, deadByReason } = counts;
  const wallSeconds = wallSecondsOf(run);
  const reasons = Object.entries(deadByReason).map(([reason, number]) => [`dead: ${reason}`, count(number)]);
  return [
    runHeadline(target),
    ...noteLines(target, runNotes(target, counts, fleet), cutAt),
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

/** The notes about a run. On a terminal, long ones are cut, so that the counts below them stay visible. */
function noteLines({ run, name }: RunTarget, notes: readonly RunNote[], cutAt: number | undefined): readonly string[] {
  const lines = (shown: readonly RunNote[]) => shown.flatMap((note) => noteLine(note, name));
  if (cutAt === undefined) return lines(notes);
  const warnings = notes.filter(({ kind }) => kind === "warning");
  const unshown = new Set(warnings.slice(SHORT.warnings));
  const whole = lines(notes.filter((note) => !unshown.has(note))).map((line) => brokenAt(line, cutAt));
  const cut = whole.map((line) => firstLines(line, SHORT.note));
  const more = unshown.size === 0 ? [] : [style("dim", `… ${plural(unshown.size, "more warning")}`)];
  const isCut = more.length > 0 || cut.some((line, index) => line !== whole[index]);
  return [...cut, ...more, ...(isCut ? [style("dim", `All of it: npx sluice status ${run.id} --json`)] : [])];
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
