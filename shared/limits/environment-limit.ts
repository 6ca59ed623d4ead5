import type { FleetLimit, Share } from "./fleet-limit.ts";
import { slotsInReach } from "./free-slots.ts";
import type { LimitState, MemberNote } from "./limit-state.ts";
import { LocalCut } from "./local-cut.ts";
import { Pace } from "./pace.ts";
import { addReports, type Counting, NO_REPORT, type Report } from "./report.ts";
import { LEASE_MILLISECONDS } from "./seen-members.ts";
import { ServiceWait } from "./service-wait.ts";

export interface EnvironmentLimitOptions {
  /** A random id, as short as is safe: the row holds it. */
  readonly member: string;
  /** The slots of an environment: `tasksPerEnvironment`. */
  readonly slots: number;
  /** The slots of the whole fleet. */
  readonly concurrency: number;
  /** Whether the fleet looks for a limit. Default: true. */
  readonly adaptive?: boolean | undefined;
  /**
   * Whether the fleet also follows the latency. Then an environment begins with half of its slots, until the row says how long
   * attempts take: all slots at once might wait in the service for longer than their timeouts. Default: false.
   */
  readonly latency?: boolean | undefined;
  readonly random: () => number;
}

const STOCK_MILLISECONDS = 3_000;

const REPORT_MILLISECONDS = 1_000;
const HANDOVER_MILLISECONDS = 250;
/** When the share has become smaller, others wait for the report that says so. */
const REDUCED_MILLISECONDS = 20;

/** When a share gains slots, this many of them are filled at once: services accept small bursts. */
const FILLED_AT_ONCE = 10;

/** The longest time within which the others are filled. It is shorter if attempts are. */
const LONGEST_FILLING_MILLISECONDS = 1_000;

/** How long a share must have been in force to be tried. */
const TRIED_MILLISECONDS = 500;

/** How old the knowledge may be that others hold the whole limit. */
const REFUSED_AGAIN_MILLISECONDS = LEASE_MILLISECONDS - 1_000;

/** Whether an attempt may start now. */
export type Start =
  | { readonly tag: "start" }
  /** Ask again at this time, or when something changes. */
  | { readonly tag: "wait"; readonly until: number }
  /** All slots are taken, or the environment must report before it starts anything: ask again when something changes. */
  | { readonly tag: "full" }
  /** The environment has no share. The message returns to the queue. */
  | { readonly tag: "no share" };

/** An attempt in flight, as `started` returned it. */
export interface StartedAttempt {
  readonly at: number;
  /** The attempts in flight when it started, with itself. */
  readonly inFlight: number;
  /** The same, divided by the slots. */
  readonly load: number;
  /** Whether a probe was under way. */
  readonly isProbe: boolean;
  /** Whether the attempt only tries whether a wait that the service asked for is over. */
  readonly isInWait: boolean;
}

/** How an attempt ended. */
export interface Ended {
  readonly tag: "succeeded" | "failed" | "throttled";
  /** How long the service asks to wait, if the attempt was throttled and the service says so. */
  readonly retryAfterMilliseconds?: number | undefined;
  /** The starts per second that the response's rate-limit headers leave to the fleet. */
  readonly advertisedPerSecond?: number | undefined;
}

/** What an update adds to the limit row and sets in it. */
export interface OwnReport {
  readonly report: Report;
  /**
   * `undefined`: the row need not name the environment, because no limit is in force or because others hold all of it. The first
   * report of an invocation has none, so an environment without a share leaves nothing in the row.
   */
  readonly note: MemberNote | undefined;
}

/** What an environment knows from the row that its latest update returned. */
interface Lease {
  /** From the clock's time before the request. */
  readonly until: number;
  readonly epoch: number;
  /** `undefined`: no limit is in force. */
  readonly share: Share | undefined;
  /** The part of the fleet's limit that the share is. */
  readonly part: number;
  /** The part of the limit that no probe has added. */
  readonly safePart: number;
  /** Whether this environment may soon get slots that nobody holds, or whose holder leaves. */
  readonly isHandover: boolean;
  /** Whether the limit has slots that this environment may get: nobody holds them, or their holder ends. */
  readonly isFree: boolean;
  readonly waitUntil: number;
}

/** What an environment reads from the row. */
type StateForEnvironment = Pick<LimitState, "epoch" | "at" | "limit" | "shares" | "members"> &
  Partial<Pick<LimitState, "controller" | "counted" | "countedBefore">>;

/** Whether the service has refused attempts, and no limit follows from it yet. */
const isMeasuring = ({ controller, counted, countedBefore }: StateForEnvironment): boolean =>
  controller?.phase === "measure" || (counted?.throttled ?? 0) > (countedBefore?.throttled ?? 0);

/** Slots that a share has gained, which are filled one by one. */
interface Filling {
  readonly from: number;
  readonly slots: number;
  readonly since: number;
  readonly milliseconds: number;
}

/**
 * Decides in one environment whether an attempt may start now, from the environment's share and from what its own attempts
 * experience. It has no timers and sends no requests: the slot supplier does that.
 *
 * A process has one; it outlives invocations. All times are in milliseconds since 1970.
 */
export class EnvironmentLimit {
  readonly #options: EnvironmentLimitOptions;
  readonly #pace: Pace;
  readonly #cut = new LocalCut();
  readonly #wait = new ServiceWait();
  #lease: Lease | undefined;
  #filling: Filling | undefined;
  /** The size of the environment's part of a limit that appeared while it worked, until it has a share. */
  #part: { readonly share: Share; readonly until: number } | undefined;
  #inFlight = 0;
  #countedAt: number;
  #counted: Counting = { ...NO_REPORT };
  /** The figures of the update in flight. */
  #reporting: Report = NO_REPORT;
  #renewal = 0;
  #advertised: number | undefined;
  #isInRow = false;
  #isEnding = false;
  #isLeaving = false;
  /** Whether the share has become smaller since the latest report. */
  #isReduced = false;
  /** Whether nobody knows yet how long attempts take. */
  #isLatencyUnknown: boolean;
  /** Shares of this epoch and of earlier ones are not in force: this environment was absent from the row, or late, after them. */
  #absentEpoch = -1;
  #tried = 0;
  /** The most attempts in flight that were accepted since the latest throttle. */
  #borne = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(options: EnvironmentLimitOptions, now: number) {
    this.#options = options;
    this.#pace = new Pace(options.random);
    this.#isLatencyUnknown = options.latency === true;
    this.#countedAt = now;
  }

  /**
   * An invocation begins. The environment may have been frozen for any time before, so it reports before it starts anything.
   */
  resume(now: number): void {
    this.#count(now);
    // While no limit is in force, an invocation that follows another at once need not wait for the row.
    const isUnlimited = this.#lease !== undefined && this.#lease.share === undefined && now < this.#lease.until;
    // An environment without a share learns nothing by asking again within a second.
    if (!isUnlimited && (!this.isRefused(now) || now >= (this.#lease?.until ?? 0) - REFUSED_AGAIN_MILLISECONDS))
      this.#lease = undefined;
    this.#part = undefined;
    this.#isEnding = false;
    this.#isLeaving = false;
    this.#isReduced = false;
    this.#cut.end();
  }

  /** The invocation ends soon. The environment uses its share until another one takes it, or until `leave`. */
  announceEnd(): void {
    this.#isEnding = true;
  }

  /** The invocation ends: nothing starts any more. A report should follow at once, so that others get the slots. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** How many attempts may be in flight now. */
  size(now: number): number {
    const share = this.#share(now);
    return share === undefined ? 0 : Math.min(share.slots, this.#cut.slots);
  }

  /** Attempts in flight. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * How many messages to have in hand that wait for a start: enough for some seconds of a rate, so that a queue with few visible
   * messages does not delay starts.
   */
  stock(now: number): number {
    const share = this.#share(now);
    if (share?.perSecond === undefined) return 2 * (share?.slots ?? 0);
    return Math.min(2 * share.slots, Math.ceil((share.perSecond * STOCK_MILLISECONDS) / 1_000) + 1);
  }

  /** Whether the fleet tries whether the service bears a higher rate. The first throttle ends this, so it should be reported at once. */
  get isRateProbed(): boolean {
    return this.#lease?.share?.perSecond !== undefined && this.#lease.safePart < 1;
  }

  /** Whether others hold the whole limit, as far as this environment knows. */
  isRefused(now: number): boolean {
    return this.#share(now)?.slots === 0 && this.#lease?.isFree === false;
  }

  /** Whether the environment should report again at once, because it may get slots that nobody holds. */
  mayGetShare(now: number): boolean {
    return this.#share(now)?.slots === 0 && this.#lease?.isFree === true;
  }

  mayStart(now: number): Start {
    this.#count(now);
    const share = this.#isLeaving ? undefined : this.#share(now);
    if (share === undefined) return { tag: "full" };
    if (share.slots === 0) return { tag: this.isRefused(now) ? "no share" : "full" };
    if (this.#inFlight >= Math.min(share.slots, this.#cut.slots)) return { tag: "full" };
    const filledAt = this.#filledAt(now);
    if (filledAt > now) return { tag: "wait", until: filledAt };
    const waitUntil = Math.max(this.#lease?.waitUntil ?? 0, this.#wait.until);
    if (now < waitUntil && !this.#wait.mayTry(now))
      return { tag: "wait", until: Math.min(waitUntil, this.#wait.tryAt) };
    const until = Math.max(this.#cut.until, this.#pace.nextAt(now));
    return until > now ? { tag: "wait", until } : { tag: "start" };
  }

  /** An attempt starts. Call it only after `mayStart` has said `start`, in the same turn of the event loop. */
  started(now: number): StartedAttempt {
    this.#count(now);
    this.#inFlight++;
    this.#counted.started++;
    this.#pace.take(now);
    const isInWait = now < this.#wait.until;
    this.#wait.started(now);
    const { slots = 1 } = this.#share(now) ?? {};
    return {
      at: now,
      inFlight: this.#inFlight,
      load: this.#inFlight / Math.max(1, slots),
      isProbe: (this.#lease?.safePart ?? 1) < 1,
      isInWait,
    };
  }

  /** The attempt did not start after all, so it is no start. */
  cancelled(now: number): void {
    this.#count(now);
    this.#inFlight = Math.max(0, this.#inFlight - 1);
    this.#counted.started--;
    this.#pace.giveBack();
  }

  /** An attempt has ended. */
  ended(now: number, started: StartedAttempt, ended: Ended): void {
    this.#count(now);
    this.#inFlight = Math.max(0, this.#inFlight - 1);
    const counted = this.#counted;
    const { load, at } = started;
    counted[ended.tag]++;
    counted.load += load;
    counted.loadSquared += load * load;
    if (ended.tag === "succeeded") counted.succeededMilliseconds += now - at;
    if (ended.advertisedPerSecond !== undefined) this.#advertised = ended.advertisedPerSecond;
    if (ended.tag !== "throttled") {
      this.#wait.accepted(at);
      const before = this.#cut.factor;
      this.#cut.accepted(at, this.#lease?.share !== undefined);
      if (this.#cut.factor !== before) this.#pace.setFactor(now, this.#cut.factor);
      if (at >= this.#cut.since) this.#borne = Math.max(this.#borne, started.inFlight);
      return;
    }
    counted.throttledMilliseconds += now - at;
    counted.throttledLoad += load;
    if (started.isInWait) counted.throttledInWait++;
    const { retryAfterMilliseconds } = ended;
    if (retryAfterMilliseconds !== undefined) this.#wait.asked(at, now, retryAfterMilliseconds);
    const safePart = this.#lease?.safePart ?? 1;
    if (at >= this.#cut.since) {
      const isSafe = !started.isProbe || started.inFlight <= this.#safeAlone;
      if (started.inFlight <= this.#borne && isSafe) counted.contradictions++;
      this.#borne = 0;
    }
    const share = this.#share(now);
    const isKnown = this.#lease?.share !== undefined;
    this.#cut.throttled({
      safePart,
      safeSlots: isKnown ? Math.floor((share?.slots ?? 0) * safePart) : 0,
      now,
      startedAt: at,
      inFlight: this.#inFlight,
      perSecond: share?.perSecond,
      random: this.#options.random(),
    });
    this.#pace.setFactor(now, this.#cut.factor);
  }

  /**
   * What the next update adds and sets. If an update fails, the next one also has its figures.
   *
   * @param wanted The slots that the environment can use now.
   */
  beginReport(now: number, wanted: number): OwnReport {
    this.#count(now);
    this.#reporting = addReports(this.#reporting, this.#counted);
    this.#counted = { ...NO_REPORT };
    const lease = this.#lease;
    const hasShare = lease?.share !== undefined && (lease.share.slots > 0 || lease.isFree);
    const { found } = this.#cut;
    const isCut = this.#cut.isReportDue || (found !== undefined && found < this.#options.slots);
    // Others get the slots of a lost share only after this environment has said that it uses fewer.
    const isLost = lease?.share !== undefined && (this.#isReduced || this.#inFlight > lease.share.slots);
    const isNoteNeeded = hasShare || isLost || (lease !== undefined && isCut);
    const waitUntil = this.#wait.until > now ? this.#wait.until : undefined;
    // A report that follows the one before at once says nothing about the share.
    if (now - this.#reportedAt > TRIED_MILLISECONDS) this.#tried = lease?.epoch ?? 0;
    this.#reportedAt = now;
    const note: MemberNote = {
      renewal: ++this.#renewal,
      epoch: lease?.epoch ?? 0,
      tried: this.#tried,
      wanted: Math.min(wanted, this.#isLeaving ? this.#inFlight : this.#options.slots),
      ...(found !== undefined && { found }),
      ...(this.#inFlight > (lease?.share?.slots ?? 0) && { inFlight: this.#inFlight }),
      ...(this.#isEnding && !this.#isLeaving && { isEnding: true as const }),
      ...(this.#isLeaving && { isLeaving: true as const }),
      ...(waitUntil !== undefined && { waitUntil: Math.round(waitUntil) }),
      ...(this.#wait.believedUntil(now) !== undefined && { isWaitSure: true as const }),
      ...(this.#advertised !== undefined && { advertised: this.#advertised }),
    };
    this.#isReduced = false;
    this.#cut.beginReport();
    if (isNoteNeeded) this.#isInRow = true;
    return { report: this.#reporting, note: isNoteNeeded ? note : undefined };
  }

  /**
   * The update has succeeded, or this environment has begun the next epoch.
   *
   * @param begunAt When the request began.
   * @param state The row after it.
   */
  endReport(begunAt: number, now: number, state: StateForEnvironment): void {
    const { epoch, at, limit, shares, members, controller } = state;
    this.#count(now);
    if (controller?.slow !== undefined) this.#isLatencyUnknown = false;
    this.#reporting = NO_REPORT;
    this.#advertised = undefined;
    const { member, slots, concurrency, random, adaptive = true } = this.#options;
    const before = this.#lease;
    const isLimited = limit.slots !== undefined || limit.perSecond !== undefined;
    // After a lease without a renewal, others may be about to give the share to somebody else. The next epoch decides.
    const hasRenewed = before !== undefined && now < before.until;
    if (!hasRenewed || !Object.hasOwn(members, member)) this.#absentEpoch = epoch;
    const given = shares[member]?.at(-1);
    const own = given !== undefined && given.epoch > this.#absentEpoch ? given : undefined;
    const inReach = slotsInReach(member, limit.slots ?? concurrency, { shares, members }, slots);
    const isFree = inReach > (own?.slots ?? 0);
    if (isLimited && own === undefined && before !== undefined && before.share === undefined) {
      const part = slots / concurrency;
      this.#part = {
        share: {
          slots: Math.min(slots, Math.floor((limit.slots ?? concurrency) * part + random())),
          perSecond: limit.perSecond === undefined ? undefined : limit.perSecond * part,
        },
        until: begunAt + LEASE_MILLISECONDS,
      };
    }
    if (own !== undefined || !isLimited) this.#part = undefined;
    this.#lease = {
      until: begunAt + LEASE_MILLISECONDS,
      epoch,
      share: isLimited ? (own ?? { slots: 0 }) : undefined,
      part: partOf(limit, own ?? this.#part?.share, concurrency),
      safePart: limit.safePart ?? 1,
      isHandover: isLimited && isFree && (own?.slots ?? 0) < slots,
      isFree,
      waitUntil: limit.waitUntil ?? 0,
    };
    this.#fill(now, isLimited && limit.perSecond === undefined ? controller?.latency : undefined);
    this.#isReduced ||= own !== undefined && own.slots < (before?.share?.slots ?? slots);
    // While no limit is in force, nothing else keeps this environment from starting everything again.
    if (isLimited) this.#cut.endReport(epoch);
    else if (adaptive && before === undefined && this.#inFlight === 0 && isMeasuring(state)) this.#cut.beginCarefully();
    const share = this.#share(now);
    this.#pace.set(now, {
      perSecond: share?.perSecond,
      tokens: share?.tokens,
      givenAt: at,
      factor: this.#cut.factor,
    });
  }

  /** How long after a report the next one should begin: sooner while slots pass from one member to another. */
  get nextReportMilliseconds(): number {
    if (this.#isReduced) return REDUCED_MILLISECONDS;
    const share = this.#lease?.share;
    const isOver = share !== undefined && this.#inFlight > share.slots;
    const isHandover = this.#isEnding || this.#isLeaving || isOver || this.#lease?.isHandover === true;
    return isHandover ? HANDOVER_MILLISECONDS : REPORT_MILLISECONDS;
  }

  /**
   * Whether the row may hold a note of this environment. Then a last update must remove the note when an invocation ends, so that
   * others need not wait for the end of the lease.
   */
  get isInRow(): boolean {
    return this.#isInRow;
  }

  /** What the last update of an invocation adds. It removes the note. */
  beginLastReport(now: number): Report {
    const { report } = this.beginReport(now, 0);
    this.#isInRow = false;
    return report;
  }

  /** The row has the figures of the latest report, though its answer may never arrive. `endReport` says so, too. */
  delivered(): void {
    this.#reporting = NO_REPORT;
  }

  /** The share in force. `undefined`: the environment must report first. */
  #share(now: number): Share | undefined {
    const { slots } = this.#options;
    if (this.#lease === undefined || now >= this.#lease.until) return undefined;
    if (this.#part !== undefined && now < this.#part.until) return this.#part.share;
    return this.#lease.share ?? { slots: this.#isLatencyUnknown ? Math.ceil(slots / 2) : slots };
  }

  /**
   * A service that limits a rate refuses many attempts that start together. So if a share has gained many slots, they are filled
   * within the mean duration of an attempt: this is how they become free later.
   */
  #fill(now: number, milliseconds: number | undefined): void {
    const before = this.#filling;
    const slots = this.#share(now)?.slots ?? 0;
    if (milliseconds === undefined) this.#filling = undefined;
    else if (before === undefined || slots !== before.slots) {
      const filled = before === undefined ? this.#inFlight : this.#filled(now, before);
      const from = Math.min(slots, filled + FILLED_AT_ONCE);
      this.#filling = { from, slots, since: now, milliseconds: Math.min(milliseconds, LONGEST_FILLING_MILLISECONDS) };
    }
  }

  #filled(now: number, { from, slots, since, milliseconds }: Filling): number {
    return milliseconds === 0 ? slots : from + Math.min(1, (now - since) / milliseconds) * (slots - from);
  }

  /** When the next slot may be used, as far as the share has gained slots. */
  #filledAt(now: number): number {
    const filling = this.#filling;
    if (filling === undefined || this.#inFlight <= this.#filled(now, filling)) return now;
    const { from, slots, since, milliseconds } = filling;
    return since + (milliseconds * (this.#inFlight - from)) / Math.max(1, slots - from);
  }

  /** The slots that no probe has added, if this environment has the whole limit. */
  get #safeAlone(): number {
    const { part = 0, safePart = 1, share } = this.#lease ?? {};
    return part > 0.99 ? Math.floor((share?.slots ?? 0) * safePart + 1e-6) : 0;
  }

  /** Adds the time since the last call to the figures. */
  #count(now: number): void {
    const milliseconds = Math.max(0, now - this.#countedAt);
    if (milliseconds === 0) return;
    const from = this.#countedAt;
    this.#countedAt = now;
    const share = this.#share(from);
    const counted = this.#counted;
    counted.elapsedMilliseconds += milliseconds;
    counted.inFlightMilliseconds += this.#inFlight * milliseconds;
    counted.slotMilliseconds += (share?.slots ?? 0) * milliseconds;
    if (share !== undefined) counted.heldMilliseconds += (this.#lease?.part ?? 0) * milliseconds;
    counted.allowedStarts += ((share?.perSecond ?? 0) * milliseconds) / 1_000;
  }
}

function partOf({ slots, perSecond }: FleetLimit, share: Share | undefined, concurrency: number): number {
  if (share === undefined) return 0;
  if (perSecond !== undefined) return (share.perSecond ?? 0) / perSecond;
  return slots === undefined ? 0 : share.slots / Math.min(slots, concurrency);
}
