import type { Queue } from "../../aws/queue.ts";
import type { EnvironmentLimit, Start, StartedAttempt } from "../../limits/environment-limit.ts";
import { hideMilliseconds } from "../../limits/hiding.ts";
import type { LimitedInvocation, LimitWatch } from "./limit-watch.ts";
import type { Reservation, Slot, SlotSupplier, SlotUse } from "./slot-supplier.ts";

/** The longest time for which messages are hidden until a wait that the service asked for is over. */
const LONGEST_HIDING_MILLISECONDS = 300_000;

/** Messages that are refused within this time are hidden for the same time. */
const HIDING_FRESH_MILLISECONDS = 100;

/**
 * A message that would be hidden for this long at most is one of the last ones of the queue. It returns at once, so that an environment
 * with a share receives it. This environment does not end before that time: otherwise Lambda would give it the same message again.
 */
const LAST_MESSAGES_MILLISECONDS = 2_500;

/** At a rate, so many messages wait in hand that the last one starts after this part of the time for which it may wait. */
const STOCKED_PART = 0.5;

/** How long before an invocation starts nothing more it says so, so that another environment can take its share. */
const ANNOUNCED_MILLISECONDS = 2_000;

/** Messages that are hidden until one time return within this part of their wait after it. */
const SPREAD = 0.2;

export interface LimitedSlotsOptions {
  readonly watch: Pick<
    LimitWatch,
    | "limit"
    | "begin"
    | "announceEnd"
    | "leave"
    | "end"
    | "noteThrottle"
    | "isFree"
    | "startsPerSecond"
    | "acceptedPerSecond"
  >;
  /** The slots of this environment. */
  readonly tasksPerEnvironment: number;
  /** How long a message may wait for a slot while a limit is in force. Then it is refused. */
  readonly patienceMilliseconds: number;
  /** After this time no attempt begins, because the invocation must end. Messages that still wait return to the queue at once. */
  readonly until?: number | undefined;
  readonly queue: Pick<Queue, "depth">;
  readonly now: () => number;
  readonly random: () => number;
}

/** A message that waits for a slot. */
interface Waiting {
  readonly since: number;
  readonly resolve: (reservation: Reservation) => void;
}

/**
 * The slots of one invocation: at most `tasksPerEnvironment`, and as many as the environment's share of the fleet's limits
 * allows. The limits are `concurrency`, `rateLimit`, those of `sluice limit` and the one that the controller has found; the smallest wins.
 *
 * While no limit is in force, it does what `FixedSlots` does.
 */
export class LimitedSlots implements SlotSupplier {
  readonly #options: LimitedSlotsOptions;
  readonly #waiting: Waiting[] = [];
  #onChange: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #announcing: NodeJS.Timeout | undefined;
  #leaving: NodeJS.Timeout | undefined;
  #staying: NodeJS.Timeout | undefined;
  #hiding: { readonly at: number; readonly milliseconds: Promise<number> } | undefined;
  /** Until when the invocation does not end, unless the environment can get a share. */
  #staysUntil = Number.NEGATIVE_INFINITY;
  #onFree: () => void = () => {};

  constructor(options: LimitedSlotsOptions) {
    this.#options = options;
  }

  get size(): number {
    const { watch, tasksPerEnvironment, now } = this.#options;
    return watch.isFree ? tasksPerEnvironment : this.#limit.size(now());
  }

  get stock(): number | undefined {
    const { watch, patienceMilliseconds, now } = this.#options;
    const { startsPerSecond } = watch;
    if (startsPerSecond === undefined) return undefined;
    // A message in hand that waits too long is refused.
    const startable = Math.ceil((STOCKED_PART * startsPerSecond * patienceMilliseconds) / 1_000);
    return Math.min(this.#limit.stock(now()), Math.max(1, startable));
  }

  get holdsShare(): boolean {
    return !this.#options.watch.isFree && this.#limit.size(this.#options.now()) > 0;
  }

  begin({ wanted, onChange }: LimitedInvocation): void {
    const { watch, until, now } = this.#options;
    this.#onChange = onChange;
    if (until !== undefined) {
      const milliseconds = until - now();
      this.#announcing = setTimeout(() => watch.announceEnd(), milliseconds - ANNOUNCED_MILLISECONDS).unref();
      this.#leaving = setTimeout(() => watch.leave(), milliseconds).unref();
    }
    watch.begin({
      wanted,
      onChange: () => {
        this.#startDue();
        this.#onChange();
        if (!this.#limit.isRefused(this.#options.now())) this.#onFree();
      },
    });
  }

  async end(): Promise<void> {
    await this.#stay();
    clearTimeout(this.#timer);
    clearTimeout(this.#announcing);
    clearTimeout(this.#leaving);
    await this.#options.watch.end();
  }

  reserve(): Promise<Reservation> {
    return new Promise((resolve) => {
      this.#waiting.push({ since: this.#options.now(), resolve });
      this.#startDue();
    });
  }

  get #limit(): EnvironmentLimit {
    return this.#options.watch.limit;
  }

  /** Gives slots to the messages that wait longest, as many as may start now, and refuses those that would wait too long. */
  #startDue(): void {
    clearTimeout(this.#timer);
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const now = this.#options.now();
      const start = this.#limit.mayStart(now);
      if (start.tag === "start") {
        this.#waiting.shift();
        first.resolve({ tag: "reserved", slot: this.#slot(this.#limit.started(now)) });
        continue;
      }
      const until = this.#waitsUntil(first, start);
      if (until <= now) {
        this.#waiting.shift();
        void this.#refuse(first, start);
        continue;
      }
      const next = Math.min(until, start.tag === "wait" ? start.until : Number.POSITIVE_INFINITY);
      if (next < Number.POSITIVE_INFINITY) {
        this.#timer = setTimeout(() => this.#startDue(), Math.max(1, next - now)).unref();
      }
      return;
    }
  }

  /** Until when a message waits, unless it may start before. */
  #waitsUntil({ since }: Waiting, start: Exclude<Start, { tag: "start" }>): number {
    const { watch, patienceMilliseconds, until = Number.POSITIVE_INFINITY } = this.#options;
    const patient = Math.min(since + patienceMilliseconds, until);
    switch (start.tag) {
      case "full":
        return watch.isFree ? Number.POSITIVE_INFINITY : patient;
      case "no share":
        return Number.NEGATIVE_INFINITY;
      case "wait":
        // Tokens of a rate can arrive with each answer of the row. The end of any other wait is known.
        return start.until <= patient || start.until === Number.POSITIVE_INFINITY ? patient : Number.NEGATIVE_INFINITY;
    }
  }

  /** Refuses a message. */
  async #refuse({ resolve }: Waiting, start: Start): Promise<void> {
    const { now, random, until = Number.POSITIVE_INFINITY } = this.#options;
    if (now() >= until && start.tag !== "no share") return resolve({ tag: "refused", hideUntil: now() });
    const wait = start.tag === "wait" && start.until < Number.POSITIVE_INFINITY ? start.until - now() : 0;
    const waited = Math.min(wait, LONGEST_HIDING_MILLISECONDS) * (1 + SPREAD * random());
    const milliseconds = await this.#hideMilliseconds();
    const isLast =
      start.tag === "no share" && milliseconds <= LAST_MESSAGES_MILLISECONDS && now() + milliseconds < until;
    if (isLast) this.#staysUntil = Math.max(this.#staysUntil, now() + milliseconds);
    resolve({ tag: "refused", hideUntil: now() + (isLast ? 0 : Math.max(milliseconds, waited)) });
  }

  /** Waits until the environments with a share have had the time to receive the messages that this one has returned. */
  async #stay(): Promise<void> {
    const milliseconds = this.#staysUntil - this.#options.now();
    if (milliseconds <= 0) return;
    await new Promise<void>((resolve) => {
      this.#onFree = resolve;
      this.#staying = setTimeout(resolve, milliseconds);
    });
    clearTimeout(this.#staying);
  }

  /** How long to hide messages: the same time for all that are refused together, so that they are received together again. */
  #hideMilliseconds(): Promise<number> {
    const { watch, queue, now, random } = this.#options;
    if (this.#hiding === undefined || now() - this.#hiding.at > HIDING_FRESH_MILLISECONDS) {
      const milliseconds = queue.depth().then(
        ({ visible, inFlight, delayed }) =>
          hideMilliseconds(visible + inFlight + delayed, watch.acceptedPerSecond, random),
        () => hideMilliseconds(0, watch.acceptedPerSecond, random),
      );
      this.#hiding = { at: now(), milliseconds };
    }
    return this.#hiding.milliseconds;
  }

  #slot(started: StartedAttempt): Slot {
    let isReleased = false;
    return {
      release: (use) => {
        if (isReleased) return;
        isReleased = true;
        this.#release(started, use);
        this.#startDue();
      },
    };
  }

  #release(started: StartedAttempt, use: SlotUse): void {
    const now = this.#options.now();
    if (use.tag === "unused") this.#limit.cancelled(now);
    else {
      this.#limit.ended(now, started, use);
      if (use.tag === "throttled") this.#options.watch.noteThrottle();
    }
  }
}
