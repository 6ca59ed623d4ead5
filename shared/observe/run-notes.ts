import { type Counts, hasEnded, type RunRecord } from "../ledger/run-record.ts";
import { sameFailureOf } from "../ledger/same-failure.ts";
import type { FleetFacts } from "./fleet-facts.ts";
import { isInterrupted, type RunAndEngine } from "./run-status.ts";
import { seconds, timeOf } from "./text.ts";

/** What a note is about. */
export type NoteKind =
  | "interrupted"
  | "failure"
  | "slices"
  | "code"
  | "wait"
  | "silent source"
  | "held"
  | "warning"
  | "same failure"
  | "completion";

/** Something that a person should know about a run. The text may hold text of other services, so it must be escaped. */
export interface RunNote {
  readonly kind: NoteKind;
  readonly text: string;
}

/** A source that has yielded no page for longer is mentioned. */
const SILENT_SOURCE_MILLISECONDS = 60_000;

/** The notes about a run, in the order in which they are shown. */
export function runNotes(target: RunAndEngine, counts: Counts, fleet?: FleetFacts, now = Date.now()): RunNote[] {
  const { run } = target;
  const sameFailure = sameFailureOf(run, counts);
  const texts: readonly (readonly [NoteKind, string | undefined])[] = [
    ["interrupted", isInterrupted(target) ? "No engine is working on this run." : undefined],
    ["failure", run.failure],
    [
      "slices",
      run.sliceError === undefined || run.failedSlices === 0
        ? undefined
        : `the source failed ${run.failedSlices} times: ${run.sliceError}`,
    ],
    ["code", codeChangeText(run, now)],
    ["wait", waitText(run, now)],
    ["silent source", silentSourceText(target, now)],
    ["held", fleet?.held === undefined ? undefined : `the fleet is ${fleet.held}`],
    ...run.warnings.map((warning) => ["warning", warning] as const),
    ["same failure", sameFailure],
    [
      "completion",
      hasEnded(run) && run.completionError !== undefined ? `onComplete failed: ${run.completionError}` : undefined,
    ],
  ];
  return texts.flatMap(([kind, text]) => (text === undefined ? [] : [{ kind, text }]));
}

/** Says that code of another version worked on the run than the one that began it. */
export function codeChangeText(
  { codeVersion, codeChange }: Pick<RunRecord, "codeVersion" | "codeChange">,
  now = Date.now(),
): string | undefined {
  if (codeVersion === undefined || codeChange === undefined) return undefined;
  const { version, at } = codeChange;
  return `the code changed under way: the run began with ${codeVersion}, and ${version} worked on it at ${timeOf(at, now)}`;
}

/** How long ago the latest page was read, if the producer reads the source and gets no page. */
function silentSourceText({ run, running }: RunAndEngine, now: number): string | undefined {
  const { status, checkpoint, checkpointAt = Date.parse(run.requestedAt), wait, fullAt } = run;
  if (!running || status !== "running" || checkpoint.ended || wait !== undefined) return undefined;
  // The producer pauses while the queue is full.
  if (fullAt !== undefined && fullAt.at >= checkpointAt) return undefined;
  if (now - checkpointAt < SILENT_SOURCE_MILLISECONDS) return undefined;
  const age = seconds((now - checkpointAt) / 1_000);
  return `the source has yielded no page for ${age}, since ${timeOf(checkpointAt, now)}`;
}

/** Until when the source's service asked to wait, while the run waits. */
function waitText({ status, wait, checkpoint }: RunRecord, now: number): string | undefined {
  if (wait === undefined || checkpoint.ended || status !== "running") return undefined;
  return `the source asks to wait until ${timeOf(wait.until, now)}: ${wait.reason}`;
}
