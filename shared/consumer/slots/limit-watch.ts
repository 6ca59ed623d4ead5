import { setTimeout as setTimeoutAsync } from "node:timers/promises";
import type { TaskLogger } from "../../base/task.ts";
import type { LimitRow, StoredLimit } from "../../ledger/limit-row.ts";
import { type AdvanceOptions, advance } from "../../limits/advance.ts";
import { EnvironmentLimit } from "../../limits/environment-limit.ts";
import type { FleetLimit } from "../../limits/fleet-limit.ts";
import { LEASE_MILLISECONDS, SeenMembers } from "../../limits/seen-members.ts";
import { isLimited, limitInForce } from "./limit-in-force.ts";

/** How often an environment updates the limit row while an invocation works, unless a share passes to another one. */
const PERIOD_MILLISECONDS = 1_000;

/** The part by which a period is longer or shorter, so that the updates of a fleet spread. */
const JITTER = 0.05;

/** The first tasks of an invocation begin before its first update, because the request would delay them. */
const FIRST_UPDATE_AFTER_MILLISECONDS = 50;

export interface LimitWatchOptions extends AdvanceOptions {
  /** The limit row of the workflow. */
  readonly row: Pick<LimitRow, "read" | "report" | "leave" | "begin">;
  /** The name of this environment in the row: random, and short because the row holds it. */
  readonly member: string;
  /** A clock in milliseconds since 1970 that goes on while the environment is frozen. */
  readonly now: () => number;
  readonly random: () => number;
  readonly logger: Pick<TaskLogger, "warn">;
}

/** An invocation, as the watch calls it. */
export interface LimitedInvocation {
  /** How many slots the invocation can use now. */
  readonly wanted: () => number;
  /** Called when an attempt may start that could not start before. */
  readonly onChange: () => void;
}

/**
 * Keeps this environment's share of the fleet's limit: reports to the limit row once a second while an invocation works,
 * and begins the next epoch when it is due. A process has one watch, and one invocation at a time.
 *
 * While no limit is in force, an invocation starts its tasks without waiting for an answer of the row, because an answer that is
 * younger than a lease said so. Otherwise nothing starts until the invocation's first update is answered: the
 * environment may have been frozen before, and others may use its share.
 */
export class LimitWatch {
  readonly #options: LimitWatchOptions;
  readonly #seen = new SeenMembers();
  /** Decides whether an attempt may start now. */
  readonly limit: EnvironmentLimit;
  #latest: StoredLimit | undefined;
  /** Until when no limit is in force, as far as the latest answer says. */
  #freeUntil = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  #hurriedAt = Number.NEGATIVE_INFINITY;
  #invocation: LimitedInvocation | undefined;
  #timer: NodeJS.Timeout | undefined;
  #update: Promise<void> | undefined;
  /** Whether the environment starts nothing more in this invocation. */
  #hasLeft = false;
  #hasWarned = false;

  constructor(options: LimitWatchOptions) {
    const { member, tasksPerEnvironment: slots, concurrency, adaptive, latency, random, now } = options;
    this.#options = options;
    this.limit = new EnvironmentLimit({ member, slots, concurrency, adaptive, latency, random }, now());
  }

  /**
   * Reads the row when the environment starts, so that the first invocation need not wait for an update. Never rejects:
   * without an answer, the first invocation waits.
   *
   * @param milliseconds The longest time that this may take.
   */
  async prepare(milliseconds: number): Promise<void> {
    const begunAt = this.#options.now();
    const read = this.#options.row.read().then(
      (stored) => this.#note(begunAt, stored),
      () => {},
    );
    await Promise.race([read, setTimeoutAsync(milliseconds, undefined, { ref: false })]);
  }

  /** Begins an invocation. */
  begin(invocation: LimitedInvocation): void {
    const now = this.#options.now();
    this.#invocation = invocation;
    if (this.isFree && !this.#hasLeft) {
      const due = Math.max(now + FIRST_UPDATE_AFTER_MILLISECONDS, this.#askedAt + PERIOD_MILLISECONDS);
      this.#schedule(Math.min(due, this.#freeUntil - PERIOD_MILLISECONDS) - now);
      return;
    }
    this.#hasLeft = false;
    this.limit.resume(now);
    // An environment that was refused a moment ago hides its messages. It needs an update only if it works for longer.
    if (this.limit.isRefused(now)) this.#schedule(PERIOD_MILLISECONDS);
    else void this.#ask();
  }

  /**
   * The service has refused an attempt. If no limit is in force, the row learns this at once, once in a second at most:
   * environments that begin just now need not be refused, too.
   */
  noteThrottle(): void {
    const now = this.#options.now();
    if (this.#invocation === undefined || now - this.#hurriedAt < PERIOD_MILLISECONDS) return;
    if (!this.isFree && !this.limit.isRateProbed) return;
    this.#hurriedAt = now;
    void this.#ask();
  }

  /** The invocation ends soon. Another environment may take the share, and this one uses it until then. */
  announceEnd(): void {
    if (this.isFree || this.#invocation === undefined) return;
    this.limit.announceEnd();
    if (this.limit.isInRow) void this.#ask();
  }

  /** The invocation receives no more messages. If the environment has a share, it starts nothing more, and others get the slots. */
  leave(): void {
    if (this.isFree || this.#invocation === undefined) return;
    this.#hasLeft = true;
    this.limit.leave();
    void this.#ask();
  }

  /** Ends the invocation. If the environment has a share, others can use it at once. Never rejects. */
  async end(): Promise<void> {
    this.#invocation = undefined;
    clearTimeout(this.#timer);
    if (!this.limit.isInRow) return;
    // An update that arrives after the note was removed would write the note again.
    await this.#update;
    const { row, member, now } = this.#options;
    const begunAt = now();
    try {
      this.#note(begunAt, await row.leave(member, this.limit.beginLastReport(begunAt)));
    } catch {
      // The share becomes free when its lease ends.
    }
  }

  /** Whether no limit is in force. A time in the future is from before the clock was set back. */
  get isFree(): boolean {
    const now = this.#options.now();
    return now < this.#freeUntil && this.#freeUntil - now <= LEASE_MILLISECONDS;
  }

  /** The limit that is in force for the whole fleet. Empty if there is none, or if it is not known. */
  get inForce(): FleetLimit {
    return this.#latest === undefined ? {} : limitInForce(this.#latest.state, this.#options);
  }

  /** How many attempts per second this environment may start. `undefined`: no rate is in force. */
  get startsPerSecond(): number | undefined {
    return this.isFree ? undefined : this.#latest?.state.shares[this.#options.member]?.at(-1)?.perSecond;
  }

  /** How many attempts the whole fleet is expected to make in a second. `undefined`: not known. */
  get acceptedPerSecond(): number | undefined {
    return this.#latest?.state.limit.acceptedPerSecond;
  }

  #schedule(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), Math.max(0, milliseconds)).unref();
  }

  async #ask(): Promise<void> {
    // After a freeze, a request of the invocation before may still be in flight.
    this.#update ??= this.#report().finally(() => {
      this.#update = undefined;
    });
    await this.#update;
    if (this.#invocation === undefined) return;
    const now = this.#options.now();
    // Slots are free: with its note in the row, this environment gets some of them. The next update has the note.
    if (this.limit.mayGetShare(now) && !this.limit.isInRow) await this.#ask();
    else this.#schedule(this.#dueIn(now));
  }

  /** When the next update is due. */
  #dueIn(now: number): number {
    const period = this.limit.nextReportMilliseconds * (1 + JITTER * (2 * this.#options.random() - 1));
    const wait = this.#askedAt + period - now;
    const epoch = (this.#latest?.state.dueAt ?? 0) - now;
    // An epoch that is due a moment after the update would otherwise begin a whole period later.
    return epoch > wait && epoch < wait + PERIOD_MILLISECONDS / 5 ? epoch : wait;
  }

  /** Updates the row, and begins the next epoch if it is due. Never rejects. */
  async #report(): Promise<void> {
    const { row, member, now, logger } = this.#options;
    const invocation = this.#invocation;
    const begunAt = now();
    this.#askedAt = begunAt;
    const own = this.limit.beginReport(begunAt, invocation?.wanted() ?? 0);
    try {
      const stored = await row.report(member, own);
      this.#note(begunAt, stored);
      // An epoch may give this environment a share. Its messages wait for that, and are not refused before.
      const epochAt = now();
      const next = stored.isNewerVersion
        ? undefined
        : advance(stored.state, this.#seen, member, epochAt, this.#options);
      if (next === undefined || !this.limit.isRefused(epochAt)) invocation?.onChange();
      if (next === undefined) return;
      const begun = await row.begin(next, this.#options.concurrency);
      if (begun !== undefined) this.#note(epochAt, begun);
      invocation?.onChange();
    } catch (error) {
      if (!this.#hasWarned) logger.warn("the fleet's limit could not be updated, the next try follows", { error });
      this.#hasWarned = true;
    }
  }

  #note(begunAt: number, stored: StoredLimit): void {
    const { now } = this.#options;
    const { state } = stored;
    this.#latest = stored;
    this.#askedAt = Math.max(this.#askedAt, begunAt);
    this.#seen.note(state.members, begunAt, now());
    const limit = limitInForce(state, this.#options);
    this.#freeUntil = isLimited(limit) ? Number.NEGATIVE_INFINITY : begunAt + LEASE_MILLISECONDS;
    this.limit.endReport(begunAt, now(), { ...state, limit });
  }
}
