import { nextOccurrence } from "../../shared/definition/next-occurrence.ts";
import type { Schedule } from "../../shared/definition/schedule.ts";

/** Timers end late if the machine slept. And a timer can be no longer than 24 days. */
const LONGEST_TIMER_MILLISECONDS = 30_000;

const UNITS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/**
 * Starts runs at the times of a workflow's schedule, while `sluice dev` works.
 *
 * A `rate` counts from when its expression was first seen, so a saved file does not begin it anew. EventBridge Scheduler
 * starts the first run of a `rate` at once when the schedule is created. This class starts it after one interval, because
 * `sluice dev` is started often.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
 */
export class LocalSchedule {
  readonly #onDue: (at: number) => void;
  readonly #now: () => number;
  #schedule: Schedule | undefined;
  #anchor = 0;
  #next: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param onDue Called with the scheduled time, in milliseconds since 1970. */
  constructor(onDue: (at: number) => void, now: () => number = Date.now) {
    this.#onDue = onDue;
    this.#now = now;
  }

  /** When the next run starts, in milliseconds since 1970. `undefined`: never. */
  get next(): number | undefined {
    return this.#next;
  }

  /** Follows the schedule of a new version of the workflow. */
  set(schedule: Schedule | undefined): void {
    const { expression, timeZone, enabled } = schedule ?? {};
    const { expression: known, timeZone: knownZone, enabled: wasEnabled } = this.#schedule ?? {};
    this.#schedule = schedule;
    if (expression === known && timeZone === knownZone && enabled === wasEnabled) return;
    if (expression !== known) this.#anchor = this.#now();
    this.#next = this.#after(this.#now());
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#next = undefined;
  }

  #after(time: number): number | undefined {
    if (this.#schedule?.enabled !== true) return undefined;
    const { expression, timeZone = "UTC" } = this.#schedule;
    const interval = intervalOf(expression);
    if (interval === undefined) return nextOccurrence(expression, timeZone, time);
    return this.#anchor + (Math.floor((time - this.#anchor) / interval) + 1) * interval;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#next === undefined) return;
    const wait = Math.min(LONGEST_TIMER_MILLISECONDS, Math.max(0, this.#next - this.#now()));
    this.#timer = setTimeout(() => this.#check(), wait);
  }

  #check(): void {
    const now = this.#now();
    let due: number | undefined;
    // If the machine slept over several times, only the last of them starts a run.
    while (this.#next !== undefined && this.#next <= now) {
      due = this.#next;
      this.#next = this.#after(due);
    }
    this.#arm();
    if (due !== undefined) this.#onDue(due);
  }
}

/** The interval of a `rate`, in milliseconds. */
function intervalOf(expression: string): number | undefined {
  const { count, unit = "" } = /^rate\((?<count>\d+) (?<unit>minute|hour|day)s?\)$/.exec(expression)?.groups ?? {};
  const milliseconds = UNITS[unit];
  return milliseconds === undefined ? undefined : Number(count) * milliseconds;
}
