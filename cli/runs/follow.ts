import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import type { Engine } from "../../local/engine.ts";
import type { HistoryWriter } from "../../local/run-history.ts";
import { overviewOf } from "../../shared/ledger/run-overview.ts";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import { sameFailureOf } from "../../shared/ledger/same-failure.ts";
import { heldNow } from "../../shared/observe/held-text.ts";
import type { CountsBefore } from "../../shared/observe/live-counts.ts";
import { LiveRun } from "../../shared/observe/live-run.ts";
import { RedriveProgress } from "../../shared/observe/redrive-progress.ts";
import { liveSample } from "../../shared/observe/sample.ts";
import type { Display } from "../screens/display.ts";
import { oneLine } from "../screens/printable.ts";
import type { Summary } from "../screens/summary.ts";
import { StalledSource } from "./stalled-source.ts";

/** How often the run's record is read. */
const POLL_MILLISECONDS = 100;
/** How much of a failure stands above the display. */
const LONGEST_FAILURE = 200;

export interface Follow {
  readonly engine: Engine;
  readonly run: string;
  /** The run's counts before this command. */
  readonly before: CountsBefore;
  readonly display: Display;
  /** The most tasks in flight. */
  readonly ceiling: number;
  /** Keeps the samples of the run for the dashboard. */
  readonly history: HistoryWriter;
  /** Aborted when the user interrupts: tasks in flight finish, then the run stops. */
  readonly interrupted: AbortSignal;
  /** Aborted when the user does not want to wait for tasks in flight. */
  readonly atOnce: AbortSignal;
}

/** Shows a run until it has ended, or until it is paused or interrupted. */
export async function follow({
  engine,
  run,
  before,
  display,
  ceiling,
  history,
  interrupted,
  atOnce,
}: Follow): Promise<Summary | "paused" | "interrupted"> {
  const live = new LiveRun({ before, limitRow: engine.limitRow, nextTaskAt: engine.nextTaskAt, now: Date.now() });
  const redriveProgress = new RedriveProgress(engine);
  const stalledSource = new StalledSource();
  let hasToldFailure = false;
  let drained = false;
  const drain = async () => {
    await engine.drain();
    drained = true;
  };
  // The user may have interrupted before this function was called.
  if (interrupted.aborted) void drain();
  else interrupted.addEventListener("abort", () => void drain(), { once: true });
  // The first tasks start sooner if nothing else is done at the same time.
  await setTimeout(POLL_MILLISECONDS);
  for (;;) {
    if (atOnce.aborted) return "interrupted";
    const stop = drained;
    const found = await engine.runs.find(run);
    if (found !== undefined) {
      const record = await overviewOf(engine.ledger.store, found);
      const { fleet } = engine.activity;
      const now = Date.now();
      const keepSample = (progress = live.progress(record, fleet, now)) => {
        const durations = engine.activity.takeDurations();
        history.add(liveSample(progress, { at: now, record, ceiling, slots: live.slots, durations }));
      };
      // The run is over only once `onComplete` was called, which may need several attempts.
      if (hasEnded(record) && (record.completionHandledAt !== undefined || stop)) {
        const redriven = await redriveProgress.check(record);
        if (redriven === "lost") {
          display.say(
            "Some redriven items are pending, but their messages are no longer on the queue: it was purged, or SQS " +
              "deleted them after 10 days. If `npx sluice dlq` still lists their dead letters, redrive them again. " +
              "Otherwise these items stay pending.",
          );
        }
        if (redriven !== "at work") {
          keepSample();
          return await summarise(engine, record);
        }
      }
      if (record.status === "paused") {
        if (stop) return "paused";
        if (!interrupted.aborted) display.say("Pausing: tasks in flight finish and are recorded.");
        await Promise.race([drain(), once(atOnce, "abort")]);
        // The record is read again, because these tasks may have completed the run.
        continue;
      }
      // After a failure, items that were already sent still run.
      if (record.status === "failed" && (await engine.runs.counts(record)).pending === 0) {
        keepSample();
        return await summarise(engine, record);
      }
      const { inFlight, readingSince } = fleet;
      const failure = fleet.failures.at(-1);
      const line = stalledSource.check({ now, run: record, inFlight, failure, readingSince });
      if (line !== undefined) display.say(line);
      if (fleet.firstFailure !== undefined && !hasToldFailure) {
        hasToldFailure = true;
        display.say(failedAttemptText(fleet.firstFailure, run));
      }
      const progress = live.progress(record, fleet, now);
      display.show(progress);
      if (history.isDue(now)) keepSample(progress);
    }
    if (stop) return "interrupted";
    await setTimeout(POLL_MILLISECONDS);
  }
}

/** Says why the first attempt failed: until the run has ended, the display only counts the attempts that are made again. */
function failedAttemptText(failure: string, run: string): string {
  const text = oneLine(failure);
  const shown = text.length > LONGEST_FAILURE ? `${text.slice(0, LONGEST_FAILURE).toWellFormed()}…` : text;
  return `An attempt failed and is made again: ${shown}. All failed attempts: npx sluice logs ${run}`;
}

/** The run's counts before it continues; all 0 for a new run. */
export async function countsBefore({ runs }: Pick<Engine, "runs">, run: string): Promise<CountsBefore> {
  const record = await runs.find(run);
  return record === undefined ? { succeeded: 0, retried: 0, dead: 0 } : await runs.counts(record);
}

/** The result of a run: the ledger's counts, and what the engine measured. */
async function summarise({ runs, activity, limitRow }: Engine, record: RunRecord): Promise<Summary> {
  const counts = await runs.counts(record);
  const { produced, succeeded, dead, cancelled, retried, deadByReason } = counts;
  const sameFailure = sameFailureOf(record, counts);
  const end = record.completedAt === undefined ? Date.now() : Date.parse(record.completedAt);
  const { producer, consumer } = activity.peakMemoryMb;
  const { state, concurrency } = await limitRow.read();
  const held = heldNow(state, concurrency, end);
  return {
    type: "summary",
    workflow: record.workflow,
    run: record.id,
    status: record.status,
    produced,
    succeeded,
    dead,
    ...(cancelled > 0 && { cancelled }),
    retried,
    throttled: activity.fleet.throttled,
    ...(held !== undefined && { held }),
    wallSeconds: (end - Date.parse(record.requestedAt)) / 1_000,
    peakInFlight: activity.fleet.peakInFlight,
    deadByReason,
    memoryMb: { producer: Math.round(producer), consumer: Math.round(consumer) },
    warnings: record.warnings,
    ...(sameFailure !== undefined && { sameFailure }),
    ...(record.failure !== undefined && { failure: record.failure }),
    ...(record.completionError !== undefined && { completionError: record.completionError }),
  };
}
