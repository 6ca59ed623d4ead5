import { type AdvanceOptions, advance } from "../../../shared/limits/advance.ts";
import {
  type Ended,
  EnvironmentLimit,
  type Start,
  type StartedAttempt,
} from "../../../shared/limits/environment-limit.ts";
import { hideMilliseconds } from "../../../shared/limits/hiding.ts";
import { SeenMembers } from "../../../shared/limits/seen-members.ts";
import type { SimulatedLimitRow } from "../limit-row.ts";
import type { Side, SideContext } from "./side.ts";

export interface SluiceOptions extends AdvanceOptions {
  /** How long a request to the row takes, in milliseconds. */
  readonly rowMilliseconds: readonly [least: number, most: number];
}

/** One environment with the code of `shared/limits/`. The requests to the row take time. */
export class SluiceSide implements Side {
  readonly #row: SimulatedLimitRow;
  readonly #options: SluiceOptions;
  readonly #context: SideContext;
  readonly #limit: EnvironmentLimit;
  readonly #seen = new SeenMembers();
  readonly #member: string;
  #onChange: () => void = () => {};
  #invocation = 0;
  /** The latest invocation that has ended. */
  #ended = -1;
  #isReporting = false;
  #isDead = false;
  #acceptedPerSecond: number | undefined;
  #hurriedAt = Number.NEGATIVE_INFINITY;
  /** Whether no limit is in force. */
  #isFree = true;

  constructor(row: SimulatedLimitRow, options: SluiceOptions, context: SideContext) {
    this.#row = row;
    this.#options = options;
    this.#context = context;
    const { slots, concurrency, random, clock } = context;
    this.#member = random.next().toString(36).slice(2, 10);
    this.#limit = new EnvironmentLimit(
      { member: this.#member, slots, concurrency, random: random.next, latency: options.latency },
      clock(),
    );
  }

  begin(onChange: () => void): void {
    this.#onChange = onChange;
    this.#limit.resume(this.#context.clock());
    this.#invocation++;
    if (!this.#limit.isRefused(this.#context.clock())) this.#report(this.#invocation);
  }

  mayStart(): Start {
    const { clock, events } = this.#context;
    const start = this.#limit.mayStart(clock());
    if (start.tag !== "wait") return start;
    // The difference of two clocks is not exact: the time must move.
    return { tag: "wait", until: Math.max(start.until - clock() + events.now, events.now + 0.01) };
  }

  started(): StartedAttempt {
    return this.#limit.started(this.#context.clock());
  }

  ended(attempt: StartedAttempt, ended: Ended): void {
    const now = this.#context.clock();
    this.#limit.ended(now, attempt, ended);
    // As `LimitWatch.noteThrottle`.
    const isUrgent = this.#isFree || this.#limit.isRateProbed;
    if (ended.tag !== "throttled" || !isUrgent || now - this.#hurriedAt < 1_000) return;
    this.#hurriedAt = now;
    if (!this.#isReporting) this.#report(++this.#invocation);
  }

  stock(): number {
    return this.#limit.stock(this.#context.clock());
  }

  announceEnd(): void {
    this.#limit.announceEnd();
    this.#reportSoon();
  }

  drain(): void {
    this.#limit.leave();
    this.#reportSoon();
  }

  hideMilliseconds(backlog: number): number {
    return hideMilliseconds(backlog, this.#acceptedPerSecond, this.#context.random.next);
  }

  end(): void {
    this.#ended = this.#invocation++;
    const next = this.#invocation;
    this.#isReporting = false;
    if (!this.#limit.isInRow) return;
    const report = { report: this.#limit.beginLastReport(this.#context.clock()), note: undefined };
    this.#limit.delivered();
    const begunAt = this.#context.clock();
    const { events, at, clock } = this.#context;
    events.at(events.now + this.#latency(), () => {
      const state = this.#row.report(this.#member, report, true);
      at(events.now + this.#latency(), () => {
        if (this.#invocation === next) this.#limit.endReport(begunAt, clock(), state);
      });
    });
  }

  die(): void {
    this.#isDead = true;
    this.#invocation++;
  }

  #latency(): number {
    const [least, most] = this.#options.rowMilliseconds;
    // Most requests are quick.
    return (least + (most - least) * this.#context.random.next() ** 3) / 2;
  }

  /** As in `LimitWatch`, the report after one that is under way follows after the time that `nextReportMilliseconds` says. */
  #reportSoon(): void {
    if (this.#limit.isInRow && !this.#isReporting) this.#report(++this.#invocation);
  }

  #report(invocation: number): void {
    const { clock, events, at, wanted } = this.#context;
    const isCurrent = () => invocation === this.#invocation && !this.#isDead;
    if (!isCurrent()) return;
    this.#isReporting = true;
    const begunAt = clock();
    const report = this.#limit.beginReport(begunAt, wanted());
    // No request is lost here, so its figures never need to be sent again.
    this.#limit.delivered();
    // The request arrives though its sender may be frozen or dead by then. After the last report of an invocation, no note is written.
    events.at(events.now + this.#latency(), () => {
      const state = this.#row.report(this.#member, report, invocation <= this.#ended);
      at(events.now + this.#latency(), () => {
        if (!isCurrent()) return;
        this.#isReporting = false;
        this.#note(begunAt, state);
        const next = advance(state, this.#seen, this.#member, clock(), this.#options);
        if (next !== undefined) {
          events.at(events.now + this.#latency(), () => {
            const begun = this.#row.begin(next);
            at(events.now + this.#latency(), () => {
              if (!isCurrent()) return;
              if (begun !== undefined) this.#note(begunAt, begun);
              this.#onChange();
            });
          });
          this.#onChange();
        } else this.#onChange();
        if (this.#limit.mayGetShare(clock()) && report.note === undefined) this.#report(invocation);
        else
          at(
            events.now +
              this.#limit.nextReportMilliseconds * this.#context.random.between(0.95, 1.05) -
              (clock() - begunAt),
            () => this.#report(invocation),
          );
      });
    });
  }

  #note(begunAt: number, state: SimulatedLimitRow["state"]): void {
    const now = this.#context.clock();
    this.#seen.note(state.members, begunAt, now);
    this.#limit.endReport(begunAt, now, state);
    this.#acceptedPerSecond = state.limit.acceptedPerSecond;
    this.#isFree = state.limit.slots === undefined && state.limit.perSecond === undefined;
  }
}
