import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import type { Engine } from "../../local/engine.ts";
import { hasEnded, isWaiting, type RunRecord } from "../../shared/ledger/run-record.ts";
import { sameFailureOf } from "../../shared/ledger/same-failure.ts";
import type { Display } from "../screens/display.ts";
import type { Summary } from "../screens/summary.ts";
import { Pace, type Waiting } from "./pace.ts";
import { RedrivenWatch } from "./redrive-progress.ts";
import { ProducerWatch } from "./stalled-source.ts";

/** How often the run's record is looked at. */
const POLL_MILLISECONDS = 100;

/** A run waits that has had nothing in flight for so long: between two tasks, and at its start, it only seems to. */
const IDLE_MILLISECONDS = 2_000;

export interface Follow {
  readonly engine: Engine;
  readonly run: string;
  /** What the run had come to before it was begun here. */
  readonly before: CountsBefore;
  readonly display: Display;
  /** Fires when the user has had enough: the run is left as it is, once nothing is under way. */
  readonly interrupted: AbortSignal;
  /** Fires when the user does not want to wait for that. */
  readonly atOnce: AbortSignal;
}

/** Shows a run until it has ended, or is paused or interrupted before. */
export async function follow({
  engine,
  run,
  before,
  display,
  interrupted,
  atOnce,
}: Follow): Promise<Summary | "paused" | "interrupted"> {
  const pace = new Pace();
  const redriven = new RedrivenWatch(engine);
  const producer = new ProducerWatch();
  let busyAt = Date.now();
  let drained = false;
  const drain = async () => {
    await engine.drain();
    drained = true;
  };
  // It may have fired while the engine started.
  if (interrupted.aborted) void drain();
  else interrupted.addEventListener("abort", () => void drain(), { once: true });
  // Its first moments are not taken up with looking at it.
  await setTimeout(POLL_MILLISECONDS);
  for (;;) {
    if (atOnce.aborted) return "interrupted";
    const stop = drained;
    const record = await engine.runs.find(run);
    if (record !== undefined) {
      // What its end sets off is part of it, and may take another attempt.
      if (hasEnded(record) && (record.completionHandledAt !== undefined || stop)) {
        const state = await redriven.look(record);
        if (state === "lost") {
          display.say(
            "Some redriven items are pending, and no message of them is left on the queue: redrive their dead letters again.",
          );
        }
        if (state !== "at work") return await summarise(engine, record);
      }
      if (record.status === "paused") {
        if (stop) return "paused";
        if (!interrupted.aborted) display.say("Pausing: tasks in flight are finished and recorded.");
        await Promise.race([drain(), once(atOnce, "abort")]);
        // They may have been the last ones.
        continue;
      }
      // What a failed run had sent is still worked off.
      if (record.status === "failed" && (await engine.runs.counts(record)).pending === 0)
        return await summarise(engine, record);
      const { inFlight, succeeded, retried, deadByReason } = engine.activity.fleet;
      const { items, ended } = record.checkpoint;
      const dead = before.dead + Object.values(deadByReason).reduce((a, b) => a + b, 0);
      const settled = before.succeeded + succeeded + dead;
      const total = ended ? items : record.limit;
      const now = Date.now();
      const rate = pace.rate(now, settled);
      if (inFlight > 0 || !ended) busyAt = now;
      const failure = engine.activity.fleet.failures.at(-1);
      const line = producer.look({ now, run: record, inFlight, failure });
      if (line !== undefined) display.say(line);
      const idle = now - busyAt >= IDLE_MILLISECONDS && settled < items;
      display.show({
        produced: items,
        total,
        inFlight,
        succeeded: before.succeeded + succeeded,
        retried: before.retried + retried,
        dead,
        rate,
        // What is slower is shown as 0/s, of which nobody would believe a time.
        secondsLeft: total === undefined || rate < 0.5 ? undefined : Math.max(0, total - settled) / rate,
        ...(idle && waitingOf(engine, items - settled)),
        ...(record.wait !== undefined &&
          isWaiting(record, now) && { sourceWaitSeconds: (record.wait.until - now) / 1_000 }),
      });
    }
    if (stop) return "interrupted";
    await setTimeout(POLL_MILLISECONDS);
  }
}

function waitingOf({ nextTaskAt }: Engine, items: number): { waiting?: Waiting } {
  const at = nextTaskAt();
  return at === undefined ? {} : { waiting: { items, nextInSeconds: Math.max(0, at - Date.now()) / 1_000 } };
}

export type CountsBefore = Awaited<ReturnType<typeof countsBefore>>;

/** What a run has come to, before it goes on: nothing, if it is a new one. */
export async function countsBefore({ runs }: Pick<Engine, "runs">, run: string) {
  const record = await runs.find(run);
  return record === undefined ? { succeeded: 0, retried: 0, dead: 0 } : await runs.counts(record);
}

/** What a run came to: the counts of the ledger, and what the engine measured. */
async function summarise({ runs, activity }: Engine, record: RunRecord): Promise<Summary> {
  const counts = await runs.counts(record);
  const { produced, succeeded, dead, cancelled, retried, deadByReason } = counts;
  const sameFailure = sameFailureOf(record, counts);
  const end = record.completedAt === undefined ? Date.now() : Date.parse(record.completedAt);
  const { producer, consumer } = activity.peakMemoryMb;
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
