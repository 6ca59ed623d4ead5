import { addDurations, type DurationCounts } from "../../shared/observe/durations.ts";
import type { FunctionObserver } from "./local-function.ts";
import type { Activity } from "./runtime-protocol.ts";

/** What all execution environments did since the engine started. */
export interface FleetActivity {
  readonly inFlight: number;
  readonly peakInFlight: number;
  readonly succeeded: number;
  readonly retried: number;
  /** How the first attempt failed that is made again. `undefined`: there is none. */
  readonly firstFailure: string | undefined;
  /** Attempts that the service refused because of load. */
  readonly throttled: number;
  readonly deadByReason: Readonly<Record<string, number>>;
  /** Since when a producer has been reading a page of the source, in milliseconds since 1970. */
  readonly readingSince: number | undefined;
  /** Invocations that crashed, timed out or threw, newest last. */
  readonly failures: readonly string[];
}

const FAILURES_KEPT = 20;

/** Adds up the reports of the environments, for the live display. Exact counts come from the ledger. */
export class ActivityMonitor {
  readonly #memory: () => { producer: number; consumer: number };
  readonly #levels = new Map<number, number>();
  readonly #reads = new Map<number, number>();
  readonly #deadByReason: Record<string, number> = {};
  readonly #failures: string[] = [];
  #durations: Record<number, number> = {};
  #peakInFlight = 0;
  #succeeded = 0;
  #retried = 0;
  #firstFailure: string | undefined;
  #throttled = 0;

  constructor(memory: () => { producer: number; consumer: number }) {
    this.#memory = memory;
  }

  readonly ofConsumer: FunctionObserver = {
    onActivity: (environment, activity) => this.#add(environment, activity),
    onFailure: (error) => this.#fail(error),
  };

  readonly ofProducer: FunctionObserver = {
    // A producer runs no tasks, but it reads the source, and dead-letters items that cannot be sent.
    onActivity: (environment, { deadByReason, readingSince }) => {
      if (readingSince === undefined) this.#reads.delete(environment);
      else this.#reads.set(environment, readingSince);
      this.#addDead(deadByReason);
    },
    onFailure: (error) => this.#fail(error),
  };

  /** The highest resident set of an environment of each function so far, in MB. */
  get peakMemoryMb(): { readonly producer: number; readonly consumer: number } {
    return this.#memory();
  }

  /** The durations of the attempts that ended since the last call. */
  takeDurations(): DurationCounts {
    const durations = this.#durations;
    this.#durations = {};
    return durations;
  }

  get fleet(): FleetActivity {
    return {
      inFlight: this.#inFlight(),
      peakInFlight: this.#peakInFlight,
      succeeded: this.#succeeded,
      retried: this.#retried,
      firstFailure: this.#firstFailure,
      throttled: this.#throttled,
      deadByReason: { ...this.#deadByReason },
      readingSince: this.#reads.size === 0 ? undefined : Math.min(...this.#reads.values()),
      failures: this.#failures,
    };
  }

  #add(environment: number, activity: Activity): void {
    this.#levels.delete(environment);
    // The sum is never above the concurrency, because no environment runs more tasks than its share.
    this.#peakInFlight = Math.max(this.#peakInFlight, this.#inFlight() + activity.peakInFlight);
    this.#levels.set(environment, activity.inFlight);
    this.#succeeded += activity.succeeded;
    this.#retried += activity.retried;
    this.#firstFailure ??= activity.failure;
    this.#throttled += activity.throttled;
    this.#addDead(activity.deadByReason);
    if (activity.durations !== undefined) addDurations(this.#durations, activity.durations);
  }

  #addDead(deadByReason: Activity["deadByReason"]): void {
    for (const [reason, count] of Object.entries(deadByReason)) {
      this.#deadByReason[reason] = (this.#deadByReason[reason] ?? 0) + count;
    }
  }

  #fail(error: string): void {
    this.#failures.push(error);
    if (this.#failures.length > FAILURES_KEPT) this.#failures.shift();
  }

  #inFlight(): number {
    let sum = 0;
    for (const inFlight of this.#levels.values()) sum += inFlight;
    return sum;
  }
}
