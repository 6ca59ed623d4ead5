import type { StartedAttempt } from "../../shared/limits/environment-limit.ts";
import type { Events } from "./events.ts";
import type { Metrics } from "./metrics.ts";
import type { Item, SimulatedQueue } from "./queue.ts";
import type { Random } from "./random.ts";
import type { Service } from "./services.ts";
import type { FleetSide, Side } from "./sides/side.ts";

/** How long an invocation receives messages itself. */
const REFILL_MILLISECONDS = 60_000;
/** How long before an invocation receives no more messages it says so. */
const ANNOUNCED_MILLISECONDS = 2_000;
/** How long a message may wait in an environment. */
const WAITING_MILLISECONDS = 10_000;
const MOST_POLLS = 5;
/** Requests in flight while no message waits, though those in flight might bring enough. */
const STARVED_POLLS = 3;
const TIMEOUT_MILLISECONDS = 10_000;
const MOST_FAILURES = 5;
/** When messages are delivered again that their environment has not returned. */
const VISIBILITY_MILLISECONDS = 30_000;
const LONGEST_BACKOFF_MILLISECONDS = 300_000;

export interface EnvironmentOptions {
  readonly events: Events;
  readonly random: Random;
  readonly queue: SimulatedQueue;
  readonly service: Service;
  readonly metrics: Metrics;
  readonly slots: number;
  readonly concurrency: number;
  readonly side: FleetSide;
  readonly clockOffset: number;
}

/** An execution environment: it works on the messages of one invocation at a time, and receives more itself. */
export class Environment {
  readonly #options: EnvironmentOptions;
  readonly #side: Side;
  #stock: { readonly item: Item; readonly at: number }[] = [];
  readonly #attempting = new Set<Item>();
  #polls = 0;
  #requested = 0;
  #until = 0;
  #isRefilling = false;
  #isUntilPlanned = false;
  #onEnd: (() => void) | undefined;
  #pumpAt = Number.POSITIVE_INFINITY;
  #frozenUntil = 0;
  #returning: number | undefined;
  isDead = false;
  isReserved = false;
  begunAt = 0;

  constructor(options: EnvironmentOptions) {
    this.#options = options;
    const { events, random, slots, concurrency, side, clockOffset, queue } = options;
    this.#side = side({
      events,
      random,
      slots,
      concurrency,
      clock: () => events.now + clockOffset,
      at: (time, run) => this.#at(time, run),
      wanted: () => this.#wanted(),
      backlog: () => queue.depth,
    });
  }

  get isIdle(): boolean {
    return this.#onEnd === undefined && !this.isDead && !this.isReserved;
  }

  invoke(items: readonly Item[], onEnd: () => void): void {
    const { events } = this.#options;
    this.begunAt = events.now;
    this.#options.metrics.invoked(events.now);
    this.#onEnd = onEnd;
    // Environments that began together must not end together.
    this.#until = events.now + REFILL_MILLISECONDS * this.#options.random.between(0.75, 1);
    this.#isRefilling = true;
    this.#returning = undefined;
    this.#stock = items.map((item) => ({ item, at: events.now }));
    this.#isUntilPlanned = false;
    this.#side.begin(() => this.#pump());
    const { begunAt } = this;
    this.#at(this.#until - ANNOUNCED_MILLISECONDS, () => {
      if (this.begunAt === begunAt && this.#isRefilling) this.#side.announceEnd?.();
    });
    this.#pump();
  }

  freeze(milliseconds: number): void {
    this.#frozenUntil = this.#options.events.now + milliseconds;
  }

  /** The process ends. Its messages come back after their visibility timeout. */
  kill(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#side.die();
    const items = [...this.#stock.map(({ item }) => item), ...this.#attempting];
    this.#options.queue.hide(items, VISIBILITY_MILLISECONDS);
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    onEnd?.();
  }

  #at(time: number, run: () => void): void {
    const { events } = this.#options;
    events.at(time, () => {
      if (this.isDead) return;
      if (events.now < this.#frozenUntil) this.#at(this.#frozenUntil, run);
      else run();
    });
  }

  #wanted(): number {
    const inHand = this.#attempting.size + this.#stock.length;
    return this.#isRefilling && this.#options.events.now < this.#until ? this.#options.slots : inHand;
  }

  #pump(): void {
    if (this.#onEnd === undefined || this.isDead) return;
    const { events, queue, random } = this.#options;
    if (events.now >= this.#until && this.#isRefilling) {
      this.#isRefilling = false;
      this.#side.drain();
    }
    while (this.#stock.length > 0) {
      const start = this.#side.mayStart();
      if (start.tag === "start") {
        const next = this.#stock.shift();
        if (next !== undefined) this.#start(next.item);
        continue;
      }
      if (start.tag === "no share") {
        this.#isRefilling = false;
        const { item } = this.#stock[0] ?? {};
        if (item !== undefined && this.#returning === undefined) {
          this.#returning = this.#side.hideMilliseconds(queue.depth);
          // The request takes time, and Lambda bills it.
          this.#at(events.now + random.between(8, 20), () => {
            this.#return(this.#returning ?? 0);
            this.#returning = undefined;
            this.#pump();
          });
        }
      } else if (start.tag === "wait") {
        if (start.until - events.now > WAITING_MILLISECONDS) {
          this.#return(start.until - events.now + random.next() * 2_000);
          this.#isRefilling = false;
        } else this.#pumpSoon(start.until);
      }
      break;
    }
    if (!this.#isRefilling && events.now >= this.#until) this.#return(0);
    while (this.#stock[0] !== undefined && events.now - this.#stock[0].at >= WAITING_MILLISECONDS) {
      const old = this.#stock.shift();
      if (old !== undefined) queue.hide([old.item], 1_000);
    }
    this.#poll();
    if (!this.#isRefilling && this.#attempting.size + this.#stock.length + this.#polls === 0) this.#end();
  }

  #pumpSoon(at: number): void {
    if (at >= this.#pumpAt) return;
    this.#pumpAt = at;
    this.#at(at, () => {
      this.#pumpAt = Number.POSITIVE_INFINITY;
      this.#pump();
    });
  }

  #return(milliseconds: number): void {
    this.#options.queue.hide(
      this.#stock.map(({ item }) => item),
      milliseconds,
    );
    this.#stock = [];
  }

  #poll(): void {
    if (!this.#isRefilling) return;
    const { queue, slots } = this.#options;
    const target = this.#side.stock() + slots;
    while (this.#polls < MOST_POLLS) {
      const missing = target - this.#attempting.size - this.#stock.length - this.#requested;
      const isStarved = this.#stock.length === 0 && this.#polls < STARVED_POLLS;
      const max = Math.min(10, isStarved ? Math.max(missing, Math.min(10, slots)) : missing);
      if (max < 1 || (max < Math.min(10, slots) && this.#stock.length > 0)) break;
      this.#polls++;
      this.#requested += max;
      queue.receive(max, 1_000, (items) => {
        if (this.isDead) return void queue.hide(items, VISIBILITY_MILLISECONDS);
        this.#at(this.#options.events.now, () => {
          this.#polls--;
          this.#requested -= max;
          for (const item of items) this.#stock.push({ item, at: this.#options.events.now });
          this.#pump();
        });
      });
    }
  }

  #start(item: Item): void {
    const { events, random, service, metrics } = this.#options;
    if (!this.#isUntilPlanned) this.#at(this.#until, () => this.#pump());
    this.#isUntilPlanned = true;
    const attempt = this.#side.started();
    const startedAt = events.now;
    metrics.started(startedAt);
    this.#attempting.add(item);
    const network = 2 + random.exponential(2);
    events.at(startedAt + network, () => {
      const answer = service.request(events.now);
      if (answer.tag === "refused") {
        metrics.refused(events.now);
        const milliseconds = network + random.between(5, 30);
        this.#at(events.now + milliseconds, () =>
          this.#ended(item, attempt, { tag: "throttled", retryAfterMilliseconds: answer.retryAfterMilliseconds }),
        );
        return;
      }
      const isTimeout = answer.milliseconds > TIMEOUT_MILLISECONDS;
      const milliseconds = Math.min(TIMEOUT_MILLISECONDS, answer.milliseconds) + network;
      if (!isTimeout) metrics.accepted(events.now, answer.milliseconds);
      // A request that needs longer by itself times out with any controller.
      else if (answer.milliseconds - (answer.waitedMilliseconds ?? 0) <= TIMEOUT_MILLISECONDS) metrics.timeouts++;
      this.#at(events.now + milliseconds, () =>
        this.#ended(item, attempt, { tag: isTimeout ? "failed" : "succeeded" }),
      );
    });
  }

  #ended(
    item: Item,
    attempt: StartedAttempt,
    ended: { readonly tag: "succeeded" | "failed" | "throttled"; readonly retryAfterMilliseconds?: number | undefined },
  ): void {
    const { queue, random, metrics, events } = this.#options;
    this.#attempting.delete(item);
    this.#side.ended(attempt, ended);
    if (ended.tag === "succeeded") {
      metrics.succeeded(events.now);
      queue.delete(item);
    } else if (ended.tag === "failed") {
      item.failures++;
      if (item.failures >= MOST_FAILURES) {
        metrics.deaths++;
        queue.delete(item);
      } else queue.hide([item], Math.max(1_000, random.next() * 1_000 * 2 ** item.failures));
    } else {
      item.throttles++;
      const backoff = random.next() * Math.min(LONGEST_BACKOFF_MILLISECONDS, 1_000 * 2 ** (item.throttles - 1));
      queue.hide([item], Math.ceil(Math.max(1_000, (ended.retryAfterMilliseconds ?? 0) + backoff) / 1_000) * 1_000);
    }
    this.#pump();
  }

  #end(): void {
    const { metrics, events } = this.#options;
    this.#side.end();
    metrics.billed(this.begunAt, events.now);
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    onEnd?.();
  }
}
