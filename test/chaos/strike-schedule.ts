import type { Line } from "./journal.ts";
import type { PlannedStrike, Strike } from "./plan.ts";

export interface StrikeScheduleOptions {
  readonly strikes: readonly PlannedStrike[];
  /** A clock in milliseconds that is never set. */
  readonly now: () => number;
  /** Performs a strike. Returns false if it is not possible now: then it is tried again. */
  readonly perform: (strike: Strike) => boolean;
  /** Called for each strike that was performed, with its name. */
  readonly onStrike: (name: string) => void;
}

/** Performs the strikes of a plan, each after so many lines of the journal and after its delay. */
export class StrikeSchedule {
  readonly #options: StrikeScheduleOptions;
  readonly #planned: PlannedStrike[];
  readonly #due: { readonly at: number; readonly strike: Strike }[] = [];
  readonly #counts = { read: 0, start: 0, end: 0 };

  constructor(options: StrikeScheduleOptions) {
    this.#options = options;
    this.#planned = [...options.strikes];
  }

  /** How many attempts have started. */
  get attempts(): number {
    return this.#counts.start;
  }

  /** Notes a line of the journal. */
  note({ type }: Line): void {
    if (type !== "read" && type !== "start" && type !== "end") return;
    const count = ++this.#counts[type];
    for (const planned of this.#planned.filter(({ after }) => after.type === type && after.count === count)) {
      this.#planned.splice(this.#planned.indexOf(planned), 1);
      this.#due.push({ at: this.#options.now() + planned.delayMilliseconds, strike: planned.strike });
    }
  }

  /** Performs the strikes that are due. */
  performDue(): void {
    const { now, perform, onStrike } = this.#options;
    for (const due of this.#due.filter(({ at }) => at <= now())) {
      const { strike } = due;
      if (!perform(strike)) continue;
      this.#due.splice(this.#due.indexOf(due), 1);
      onStrike(strike.kind === "storm" ? `storm of ${strike.service}` : strike.kind);
    }
  }

  /** Performs no more strikes. */
  end(): void {
    this.#planned.length = 0;
    this.#due.length = 0;
  }
}
