import TinyQueue from "tinyqueue";
import { mostUnrecorded } from "../../shared/consumer/outcomes/recording-limits.ts";
import { QUIET_PART, SHORTEST_QUIET_MILLISECONDS } from "../../shared/consumer/slots/intake.ts";
import { messagesToReceive } from "../../shared/consumer/slots/refill-policy.ts";
import type { Topology } from "../../shared/definition/topology.ts";
import { OutcomeGroups } from "./outcome-groups.ts";

/** In which order the queue delivers its messages. SQS promises none, and is often near to the order in which they were sent. */
export type Delivery = "ordered" | "random";

export interface ModelledFleet {
  readonly topology: Topology;
  readonly items: number;
  /** The items of a page of the ledger: a fraction if pages of the source are divided unevenly. */
  readonly itemsPerPage: number;
  /** How long a task takes, on average. */
  readonly taskMilliseconds: number;
  /** By which share of the average a task is shorter or longer, at most: 0 to 1. All durations between are equally likely. */
  readonly spread: number;
  readonly delivery: Delivery;
  readonly keepsResults: boolean;
  /** The most attempts that start in a second. `undefined`: as many as slots are free. */
  readonly perSecond?: number | undefined;
}

/** What the consumers of a run do, in counts. */
export interface FleetCounts {
  /** From the first task to the end of the last one. */
  milliseconds: number;
  /** The time for which environments work, in total: what Lambda bills. */
  environmentMilliseconds: number;
  invocations: number;
  /** Requests that event source mappings make: a receive for each invocation, and a deletion for each ten messages. */
  mappingRequests: number;
  receives: number;
  deletes: number;
  visibilityChanges: number;
  depthRequests: number;
  /** Writes of outcomes. */
  outcomeWrites: number;
  /** Reads of the run's row. */
  runReads: number;
  /** Objects with results. */
  resultObjects: number;
}

/** A request to SQS takes about this long. */
const REQUEST_MILLISECONDS = 5;
const POLL_WAIT_MILLISECONDS = 1_000;
const FRESH_MILLISECONDS = 1_000;
const DELETE_WAIT_MILLISECONDS = 250;
const ENTRIES_PER_REQUEST = 10;

/**
 * Simulates the consumers of a run: their slots, what they receive, and how they record and delete. The decisions are those of
 * the consumer (`refill-policy.ts`, `recording-limits.ts`), and nothing is sent. `estimate` simulates a part of a
 * large run.
 *
 * The producer is not simulated: the queue always holds messages, up to `maxBacklog`, until all items were sent.
 */
export function modelFleet(fleet: ModelledFleet): FleetCounts {
  const model = new FleetModel(fleet);
  model.run();
  return model.counts;
}

type Event = { readonly at: number; readonly order: number; readonly act: () => void };

class FleetModel {
  readonly counts: FleetCounts = {
    milliseconds: 0,
    environmentMilliseconds: 0,
    invocations: 0,
    mappingRequests: 0,
    receives: 0,
    deletes: 0,
    visibilityChanges: 0,
    depthRequests: 0,
    outcomeWrites: 0,
    runReads: 0,
    resultObjects: 0,
  };
  readonly fleet: ModelledFleet;
  readonly #events = new TinyQueue<Event>([], (a, b) => a.at - b.at || a.order - b.order);
  #order = 0;
  #queue: number[] = [];
  #sent = 0;
  #taken = 0;
  #random = 0x9e3779b9;
  now = 0;

  constructor(fleet: ModelledFleet) {
    this.fleet = fleet;
  }

  run(): void {
    const { environments, batchSize } = this.fleet.topology;
    const needed = Math.min(environments, Math.ceil(this.fleet.items / batchSize));
    for (let each = 0; each < needed; each++) {
      const environment = new Environment(this);
      this.at(each, () => environment.invoke());
    }
    for (let event = this.#events.pop(); event !== undefined; event = this.#events.pop()) {
      this.now = event.at;
      event.act();
    }
  }

  at(time: number, act: () => void): void {
    this.#events.push({ at: Math.max(time, this.now), order: this.#order++, act });
  }

  /** Takes messages from the queue. */
  take(most: number): number[] {
    const { items, delivery, topology } = this.fleet;
    const found: number[] = [];
    while (found.length < most && this.#taken < items) {
      this.#taken++;
      if (delivery === "ordered") {
        found.push(this.#sent++);
        continue;
      }
      while (this.#queue.length < topology.maxBacklog && this.#sent < items) this.#queue.push(this.#sent++);
      const at = Math.floor(this.random() * this.#queue.length);
      const item = this.#queue[at];
      const last = this.#queue.pop();
      if (item === undefined || last === undefined) break;
      if (at < this.#queue.length) this.#queue[at] = last;
      found.push(item);
    }
    return found;
  }

  /** How many messages wait in the queue. */
  get depth(): number {
    return Math.min(this.fleet.topology.maxBacklog, this.fleet.items - this.#taken);
  }

  /** A number in [0, 1). The same plan gives the same numbers each time. */
  random(): number {
    // Mulberry32.
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
}

/** An execution environment: one invocation after the other. */
class Environment {
  readonly #model: FleetModel;
  readonly #groups: OutcomeGroups;
  readonly #slots: number;
  #waiting: number[] = [];
  #attempting = 0;
  #recording = 0;
  #polls = 0;
  #requested = 0;
  #isPlanned = false;
  #isQueueLow = false;
  #wasEmpty = false;
  #batch = 0;
  #begunAt = 0;
  #refillUntil = 0;
  #isWorking = false;
  #toDelete = 0;
  #deleteDueAt: number | undefined;
  #depthAt = Number.NEGATIVE_INFINITY;
  #runAt = Number.NEGATIVE_INFINITY;
  #flushAt: number | undefined;
  #quietAt: number | undefined;
  #startAt = 0;

  constructor(model: FleetModel) {
    this.#model = model;
    const { topology, taskMilliseconds, keepsResults } = model.fleet;
    this.#slots = topology.tasksPerEnvironment;
    this.#groups = new OutcomeGroups({
      slots: this.#slots,
      taskMilliseconds,
      keepsResults,
      onWrite: (items) => this.#recorded(items),
      onStore: () => {
        model.counts.resultObjects++;
      },
    });
  }

  /** Lambda delivers a batch, if the queue has messages. */
  invoke(): void {
    const { topology } = this.#model.fleet;
    const { counts } = this.#model;
    const batch = this.#model.take(topology.batchSize);
    if (batch.length === 0) return;
    this.#isWorking = true;
    this.#batch = batch.length;
    this.#begunAt = this.#model.now;
    this.#refillUntil = this.#model.now + topology.consumer.refillSeconds * 1_000;
    this.#isQueueLow = batch.length < ENTRIES_PER_REQUEST;
    this.#wasEmpty = false;
    counts.invocations++;
    if (topology.consumer.refillSeconds > 0) counts.visibilityChanges += Math.ceil(batch.length / ENTRIES_PER_REQUEST);
    this.#receive(batch);
  }

  #receive(messages: readonly number[]): void {
    this.#waiting.push(...messages);
    if (messages.length > 0) this.#askAboutRun();
    this.#start();
    this.#changed();
  }

  #start(): void {
    const { perSecond, topology, taskMilliseconds, spread } = this.#model.fleet;
    while (this.#attempting < this.#slots) {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      let startsAt = this.#model.now;
      if (perSecond !== undefined) {
        const interval = (1_000 * topology.environments) / perSecond;
        startsAt = Math.max(startsAt, this.#startAt);
        this.#startAt = startsAt + interval;
      }
      this.#attempting++;
      const milliseconds = taskMilliseconds * (1 - spread + 2 * spread * this.#model.random());
      this.#model.at(startsAt + milliseconds, () => this.#end(item));
    }
  }

  #end(item: number): void {
    const { counts, now } = this.#model;
    this.#attempting--;
    this.#recording++;
    counts.milliseconds = Math.max(counts.milliseconds, now);
    this.#groups.add(Math.floor(item / this.#model.fleet.itemsPerPage), now);
    if (this.#waiting.length > 0) this.#askAboutRun();
    this.#start();
    this.#changed();
  }

  #recorded(items: number): void {
    const { counts, fleet, now } = this.#model;
    counts.outcomeWrites++;
    this.#recording -= items;
    if (fleet.topology.consumer.refillSeconds === 0) return;
    this.#toDelete += items;
    while (this.#toDelete >= ENTRIES_PER_REQUEST) {
      this.#toDelete -= ENTRIES_PER_REQUEST;
      counts.deletes++;
      this.#deleteDueAt = undefined;
    }
    if (this.#toDelete === 0 || this.#deleteDueAt !== undefined) return;
    const due = now + DELETE_WAIT_MILLISECONDS;
    this.#deleteDueAt = due;
    this.#model.at(due, () => {
      if (this.#deleteDueAt === due) this.#deleteRest();
    });
  }

  #deleteRest(): void {
    if (this.#toDelete > 0) this.#model.counts.deletes++;
    this.#toDelete = 0;
    this.#deleteDueAt = undefined;
  }

  get #isBusy(): boolean {
    return this.#attempting + this.#waiting.length > 0;
  }

  #changed(): void {
    if (!this.#isWorking) return;
    if (!this.#isBusy) this.#groups.writeAll();
    this.#scheduleFlush();
    this.#plan();
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#isWorking && !this.#isBusy && this.#polls === 0 && !this.#isPlanned) this.#finish();
  }

  #finish(): void {
    const { counts, now, fleet } = this.#model;
    this.#deleteRest();
    this.#isWorking = false;
    counts.mappingRequests += 1 + Math.ceil(this.#batch / ENTRIES_PER_REQUEST);
    counts.environmentMilliseconds += now - this.#begunAt;
    if (fleet.topology.consumer.refillSeconds === 0 || now >= this.#refillUntil)
      this.#depthAt = Number.NEGATIVE_INFINITY;
    this.#model.at(now + REQUEST_MILLISECONDS, () => this.invoke());
  }

  #scheduleFlush(): void {
    const due = this.#groups.dueAt;
    if (due === undefined || due === this.#flushAt) return;
    this.#flushAt = due;
    this.#model.at(due, () => {
      if (this.#flushAt !== due) return;
      this.#flushAt = undefined;
      if (this.#groups.dueAt === due) this.#groups.flush(due);
      this.#changed();
    });
  }

  /** An empty queue is asked again only while the invocation must wait anyway. */
  get #isUseful(): boolean {
    const canReceive = this.#model.fleet.topology.consumer.refillSeconds > 0 && this.#model.now < this.#refillUntil;
    return canReceive && (this.#isBusy || this.#polls > 0 || !this.#wasEmpty);
  }

  #plan(): void {
    if (this.#isPlanned || !this.#isUseful) return;
    this.#isPlanned = true;
    // Slots that become free in the same millisecond are refilled together.
    this.#model.at(Math.floor(this.#model.now) + 1, () => {
      this.#isPlanned = false;
      this.#poll();
      this.#watchForQuiet();
      this.#endIfIdle();
    });
  }

  /** If no slot becomes free for a while, the prefetched messages are filled up. */
  #watchForQuiet(): void {
    this.#quietAt = undefined;
    const milliseconds = QUIET_PART * this.#model.fleet.taskMilliseconds;
    if (milliseconds < SHORTEST_QUIET_MILLISECONDS) return;
    const due = this.#model.now + milliseconds;
    this.#quietAt = due;
    this.#model.at(due, () => {
      if (this.#quietAt === due && this.#isWorking && this.#mayPrefetch(this.#usableSlots)) this.#poll(true);
    });
  }

  /** How many slots may have a message: fewer if many outcomes wait to be recorded. */
  get #usableSlots(): number {
    return Math.max(0, Math.min(this.#slots, mostUnrecorded(this.#slots) - this.#recording));
  }

  #mayPrefetch(slots: number): boolean {
    return (
      !this.#isQueueLow &&
      this.#isBusy &&
      this.#model.now < this.#refillUntil - this.#model.fleet.topology.consumer.refillWaitingSeconds * 1_000 &&
      slots - this.#attempting - this.#waiting.length - this.#requested < ENTRIES_PER_REQUEST &&
      this.#fillsSlots()
    );
  }

  #poll(isQuiet = false): void {
    if (!this.#isUseful) return;
    const { taskMilliseconds } = this.#model.fleet;
    const slots = this.#usableSlots;
    const requests = messagesToReceive({
      now: this.#model.now,
      slots,
      attempting: this.#attempting,
      withoutSlot: this.#waiting.length,
      requested: this.#requested,
      polls: this.#polls,
      isProducing: false,
      meanMilliseconds: taskMilliseconds,
      isQueueLow: this.#isQueueLow,
      mayPrefetch: this.#mayPrefetch(slots),
      isQuiet,
    });
    for (const most of requests) this.#request(most);
  }

  #request(most: number): void {
    const { counts, now } = this.#model;
    const isEmpty = this.#model.depth === 0;
    counts.receives++;
    this.#polls++;
    this.#requested += most;
    const answersAt = now + (isEmpty && this.#isBusy ? POLL_WAIT_MILLISECONDS : REQUEST_MILLISECONDS);
    this.#model.at(answersAt, () => {
      const messages = this.#model.take(most);
      this.#polls--;
      this.#requested -= most;
      this.#wasEmpty = messages.length === 0;
      this.#isQueueLow = messages.length * 2 < most || messages.length === 0;
      this.#receive(messages);
    });
  }

  /** Whether the queue holds a message for each slot of the fleet. The consumer asks SQS once a second. */
  #fillsSlots(): boolean {
    const { now, counts, depth, fleet } = this.#model;
    if (now - this.#depthAt >= FRESH_MILLISECONDS) {
      this.#depthAt = now;
      counts.depthRequests++;
    }
    return depth >= fleet.topology.concurrency;
  }

  #askAboutRun(): void {
    const { now, counts } = this.#model;
    if (now - this.#runAt < FRESH_MILLISECONDS) return;
    this.#runAt = now;
    counts.runReads++;
  }
}
