import type { LimitRow } from "../ledger/limit-row.ts";
import { isWaiting, type RunRecord } from "../ledger/run-record.ts";
import { HeldFleet } from "./held-fleet.ts";
import { type CountsBefore, liveCounts, type ReportedCounts } from "./live-counts.ts";
import type { LiveProgress, WaitingItems } from "./live-progress.ts";
import { Pace } from "./settling-rate.ts";

/** A run is shown as waiting if no task was in flight for this long. Shorter gaps occur between tasks and at the start. */
const IDLE_MILLISECONDS = 2_000;

/** The read of a page that takes longer is shown with its age. */
const SLOW_READ_SECONDS = 5;

/** What the environments of an engine did, and do now. */
export interface ReportedActivity extends ReportedCounts {
  readonly inFlight: number;
  readonly throttled: number;
  /** Since when a page has been read, in milliseconds since 1970. */
  readonly readingSince: number | undefined;
}

/** Computes the progress of a run that an engine on this machine works on. */
export class LiveRun {
  readonly #before: CountsBefore;
  readonly #nextTaskAt: () => number | undefined;
  readonly #pace = new Pace();
  readonly #heldFleet: HeldFleet;
  #busyAt: number;

  /**
   * @param options.before The run's counts before the engine began to work on it.
   * @param options.nextTaskAt When the next message of a task becomes visible, in milliseconds since 1970.
   */
  constructor(options: {
    readonly before: CountsBefore;
    readonly limitRow: Pick<LimitRow, "read">;
    readonly nextTaskAt: () => number | undefined;
    readonly now: number;
  }) {
    this.#before = options.before;
    this.#nextTaskAt = options.nextTaskAt;
    this.#heldFleet = new HeldFleet(options.limitRow);
    this.#busyAt = options.now;
  }

  /** The slots that the fleet found or was given. `undefined`: nothing limits it but the workflow's concurrency. */
  get slots(): number | undefined {
    return this.#heldFleet.slots;
  }

  /** @param now Milliseconds since 1970. */
  progress(record: RunRecord, fleet: ReportedActivity, now: number): LiveProgress {
    const { inFlight, readingSince, throttled } = fleet;
    const { produced, settled, ...counts } = liveCounts(record, fleet, this.#before);
    const { ended } = record.checkpoint;
    const total = ended ? produced : record.limit;
    const rate = this.#pace.rate(now, settled);
    if (inFlight > 0 || !ended) this.#busyAt = now;
    const idle = now - this.#busyAt >= IDLE_MILLISECONDS && settled < produced;
    const waiting = idle ? this.#waiting(produced - settled, now) : undefined;
    const readingSeconds = readingSince === undefined ? 0 : (now - readingSince) / 1_000;
    const held = this.#heldFleet.at(now);
    return {
      ...counts,
      throttled,
      ...(held !== undefined && { held }),
      produced,
      total,
      inFlight,
      rate,
      // A slower rate is shown as 0/s, and a time left beside it would look wrong.
      secondsLeft: total === undefined || rate < 0.5 ? undefined : Math.max(0, total - settled) / rate,
      ...(waiting !== undefined && { waiting }),
      ...(readingSeconds >= SLOW_READ_SECONDS && { readingSeconds }),
      ...(record.wait !== undefined &&
        isWaiting(record, now) && { sourceWaitSeconds: (record.wait.until - now) / 1_000 }),
    };
  }

  #waiting(items: number, now: number): WaitingItems | undefined {
    const at = this.#nextTaskAt();
    return at === undefined ? undefined : { items, nextInSeconds: Math.max(0, at - now) / 1_000 };
  }
}
