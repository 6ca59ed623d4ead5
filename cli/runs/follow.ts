import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import type { Engine } from "../../local/engine.ts";
import { hasEnded, isWaiting, type RunRecord } from "../../shared/ledger/run-record.ts";
import { sameFailureOf } from "../../shared/ledger/same-failure.ts";
import type { Display } from "../screens/display.ts";
import { heldNow } from "../screens/limit-text.ts";
import type { WaitingItems } from "../screens/live-progress.ts";
import type { Summary } from "../screens/summary.ts";
import { HeldFleet } from "./held-fleet.ts";
import { type CountsBefore, liveCounts } from "./live-counts.ts";
import { Pace } from "./pace.ts";
import { RedriveProgress } from "./redrive-progress.ts";
import { StalledSource } from "./stalled-source.ts";

/** How often the run's record is read. */
const POLL_MILLISECONDS = 100;

/** A run is shown as waiting if no task was in flight for this long. Shorter gaps occur between tasks and at the start. */
const IDLE_MILLISECONDS = 2_000;

/** The read of a page that takes longer is shown with its age. */
const SLOW_READ_SECONDS = 5;

export interface Follow {
  readonly engine: Engine;
  readonly run: string;
  /** The run's counts before this command. */
  readonly before: CountsBefore;
  readonly display: Display;
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
  interrupted,
  atOnce,
}: Follow): Promise<Summary | "paused" | "interrupted"> {
  const pace = new Pace();
  const redriveProgress = new RedriveProgress(engine);
  const stalledSource = new StalledSource();
  const heldFleet = new HeldFleet(engine.limitRow);
  let busyAt = Date.now();
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
    const record = await engine.runs.find(run);
    if (record !== undefined) {
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
        if (redriven !== "at work") return await summarise(engine, record);
      }
      if (record.status === "paused") {
        if (stop) return "paused";
        if (!interrupted.aborted) display.say("Pausing: tasks in flight finish and are recorded.");
        await Promise.race([drain(), once(atOnce, "abort")]);
        // The record is read again, because these tasks may have completed the run.
        continue;
      }
      // After a failure, items that were already sent still run.
      if (record.status === "failed" && (await engine.runs.counts(record)).pending === 0)
        return await summarise(engine, record);
      const { fleet } = engine.activity;
      const { inFlight, readingSince } = fleet;
      const { produced, settled, ...counts } = liveCounts(record, fleet, before);
      const { ended } = record.checkpoint;
      const total = ended ? produced : record.limit;
      const now = Date.now();
      const rate = pace.rate(now, settled);
      if (inFlight > 0 || !ended) busyAt = now;
      const failure = fleet.failures.at(-1);
      const line = stalledSource.check({ now, run: record, inFlight, failure, readingSince });
      if (line !== undefined) display.say(line);
      const idle = now - busyAt >= IDLE_MILLISECONDS && settled < produced;
      const readingSeconds = readingSince === undefined ? 0 : (now - readingSince) / 1_000;
      const held = heldFleet.at(now);
      display.show({
        ...counts,
        throttled: fleet.throttled,
        ...(held !== undefined && { held }),
        produced,
        total,
        inFlight,
        rate,
        // A slower rate is shown as 0/s, and a time left beside it would look wrong.
        secondsLeft: total === undefined || rate < 0.5 ? undefined : Math.max(0, total - settled) / rate,
        ...(idle && waitingOf(engine, produced - settled)),
        ...(readingSeconds >= SLOW_READ_SECONDS && { readingSeconds }),
        ...(record.wait !== undefined &&
          isWaiting(record, now) && { sourceWaitSeconds: (record.wait.until - now) / 1_000 }),
      });
    }
    if (stop) return "interrupted";
    await setTimeout(POLL_MILLISECONDS);
  }
}

function waitingOf({ nextTaskAt }: Engine, items: number): { waiting?: WaitingItems } {
  const at = nextTaskAt();
  return at === undefined ? {} : { waiting: { items, nextInSeconds: Math.max(0, at - Date.now()) / 1_000 } };
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
