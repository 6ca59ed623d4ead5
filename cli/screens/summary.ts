import type { RunStatus } from "../../shared/ledger/run-record.ts";
import { brokenAt, firstLines } from "./first-lines.ts";
import { count, plural, seconds, style, table, warningLine } from "./format.ts";
import { nextSteps, type Step } from "./next-steps.ts";
import { oneLine, printable } from "./printable.ts";
import { type ResultsAtEnd, resultsLines } from "./results-table.ts";

/** The result of a run. With `--json`, it is the last line. */
export interface Summary {
  readonly type: "summary";
  readonly workflow: string;
  readonly run: string;
  readonly status: RunStatus;
  readonly produced: number;
  readonly succeeded: number;
  readonly dead: number;
  /** Items that were dropped without running, because the run was cancelled or failed. */
  readonly cancelled?: number;
  readonly retried: number;
  /** Attempts that the service refused because of load, while this command worked. They use up no attempts of their items. */
  readonly throttled: number;
  /** The limit of the fleet when the run ended, such as "held at 19.6/s: the service throttles". Absent if there was none. */
  readonly held?: string;
  readonly wallSeconds: number;
  readonly peakInFlight: number;
  readonly deadByReason: Readonly<Record<string, number>>;
  readonly memoryMb: { readonly producer: number; readonly consumer: number };
  /** The source's warnings. */
  readonly warnings: readonly string[];
  /** How all invalid items failed, if all failed in the same way. */
  readonly sameFailure?: string;
  /** Why the run failed. */
  readonly failure?: string;
  /** The last error of `onComplete`, if every attempt to call it failed. */
  readonly completionError?: string;
}

export interface SummaryContext {
  /** What the user typed for the workflow. */
  readonly name: string;
  readonly concurrency: number;
  /** Where the results are. Absent if the run keeps none, or if they are not in files yet. */
  readonly results?: ResultsAtEnd | undefined;
  /** The width at which long errors and warnings are broken and cut. Left out: they stay whole. */
  readonly cutAt?: number | undefined;
}

const INDENT = "  ";

/** How many lines a terminal shows of an error or a warning, and how many warnings. */
const SHORT = { text: 4, warnings: 3 } as const;

/** The summary for people. */
export function formatSummary(summary: Summary, { name, concurrency, results, cutAt }: SummaryContext): string {
  let isCut = false;
  /** On a terminal, a long text is cut, so that it does not scroll away the counts. */
  const cut = (text: string) => {
    if (cutAt === undefined) return text;
    const whole = brokenAt(text, cutAt - INDENT.length);
    const shown = firstLines(whole, SHORT.text);
    if (shown !== whole) isCut = true;
    return shown.replaceAll("\n", `\n${INDENT}`);
  };
  const {
    produced,
    succeeded,
    dead,
    cancelled,
    retried,
    throttled,
    wallSeconds,
    peakInFlight,
    memoryMb,
    deadByReason,
  } = summary;
  const rate = wallSeconds > 0 ? ` (${count(produced / wallSeconds)}/s)` : "";
  const lines = [
    "",
    `${headline(summary)}  ${style("dim", `${summary.workflow} · run ${summary.run}`)}`,
    "",
    table([
      ["produced", count(produced)],
      ["succeeded", count(succeeded)],
      ["dead", count(dead)],
      ...(cancelled === undefined ? [] : [["cancelled", count(cancelled)]]),
      ["retried", count(retried)],
      ...(throttled > 0 ? [["throttled", count(throttled)]] : []),
    ]),
    "",
    `  wall time       ${seconds(wallSeconds)}${rate}`,
    `  peak in flight  ${peakInFlight} of ${concurrency}`,
    ...(summary.held === undefined ? [] : [`  limit           ${summary.held}`]),
    `  peak memory     producer ${memoryMb.producer} MB, consumer ${memoryMb.consumer} MB each`,
  ];
  if (dead > 0) {
    const reasons = Object.entries(deadByReason).sort(([, a], [, b]) => b - a);
    lines.push(
      "",
      "  dead letters by reason",
      table(
        reasons.map(([reason, n]) => [reason, count(n)]),
        "    ",
      ),
    );
    if (summary.sameFailure !== undefined) lines.push("", `  ${style("yellow", oneLine(summary.sameFailure))}`);
  }
  if (results !== undefined && results.rows > 0) lines.push("", ...resultsLines(results));
  if (summary.warnings.length > 0) {
    const shown = cutAt === undefined ? summary.warnings : summary.warnings.slice(0, SHORT.warnings);
    lines.push("", ...shown.map((warning) => `  ${cut(warningLine(warning))}`));
    const more = summary.warnings.length - shown.length;
    if (more > 0) lines.push(`  ${style("dim", `… ${plural(more, "more warning")}`)}`);
    isCut ||= more > 0;
  }
  if (summary.failure !== undefined) lines.push("", `  ${style("red", cut(printable(summary.failure)))}`);
  if (summary.completionError !== undefined) {
    lines.push(
      "",
      `  ${style("red", cut(`onComplete failed, and is not called again: ${printable(summary.completionError)}`))}`,
    );
  }
  if (isCut) lines.push("", `  ${style("dim", `All of it: npx sluice status ${summary.run} --json`)}`);
  lines.push("", nextSteps(steps(summary, name, results !== undefined && results.rows > 0)));
  return lines.join("\n");
}

function headline({ status, dead, warnings }: Summary): string {
  if (status === "failed") return style(["red", "bold"], "Failed");
  if (status === "cancelled") return style(["yellow", "bold"], "Cancelled");
  if (dead > 0) return style(["yellow", "bold"], `Completed with ${plural(dead, "dead letter")}`);
  if (warnings.length > 0) {
    return style(["yellow", "bold"], `Completed with ${plural(warnings.length, "warning")}, every item succeeded`);
  }
  return style(["green", "bold"], "Completed, every item succeeded");
}

function steps({ status, cancelled, dead }: Summary, name: string, hasResults: boolean): Step[] {
  const sourceFailed = status === "failed" && cancelled === undefined;
  return [
    ...(sourceFailed ? [[`npx sluice resume ${name}`, "continue where the source failed"] as const] : []),
    ...(dead > 0 ? [["npx sluice dlq", "show why items died"] as const] : []),
    ...(hasResults ? [["npx sluice results", "write what the tasks returned"] as const] : []),
    [`npx sluice status`, "list the runs"],
    [`npx sluice run ${name}`, "run it again"],
    sourceFailed
      ? [`npx sluice logs ${name} --error`, "show the errors of the source"]
      : [`npx sluice logs ${name}`, "show what the tasks logged"],
  ];
}
