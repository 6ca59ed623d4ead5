import { LARGEST_BATCH, MOST_RECEIVED_MESSAGES } from "../../../shared/aws/quotas.ts";
import { backoffMilliseconds } from "../../../shared/base/retry.ts";
import { LONGEST_WAIT_MILLISECONDS } from "../../../shared/consumer/outcomes/deleter.ts";
import { SOON_MILLISECONDS } from "../../../shared/consumer/outcomes/page-groups.ts";
import { mostUnrecorded } from "../../../shared/consumer/outcomes/recording-limits.ts";
import {
  ANSWER_MILLISECONDS,
  QUIET_PART,
  SHORTEST_QUIET_MILLISECONDS,
  WAIT_SECONDS,
} from "../../../shared/consumer/slots/intake.ts";
import { MeanDuration } from "../../../shared/consumer/slots/mean-duration.ts";
import { messagesToReceive } from "../../../shared/consumer/slots/refill-policy.ts";
import type { Fleet } from "./fleet-model.ts";
import { ModelledBacklog } from "./modelled-backlog.ts";
import { ModelledRunWatch } from "./modelled-run-watch.ts";
import { OutcomeGroups } from "./outcome-groups.ts";
import { REQUEST_MILLISECONDS } from "./request-time.ts";

/** What is known of an item is in the row of its page and in a row of its own. */
const ROWS_OF_ITEM = 2;
/** SQS has whole seconds only. */
const VISIBILITY_MILLISECONDS = 1_000;

/** An execution environment of the consumers, in simulated time: one invocation after the other. */
export class ModelledEnvironment {
  readonly #fleet: Fleet;
  readonly #groups: OutcomeGroups;
  readonly #slots: number;
  readonly #runWatch: ModelledRunWatch;
  #mean = new MeanDuration();
  #backlog: ModelledBacklog;
  #waiting: number[] = [];
  /** Messages of the batch whose visibility timeout is not set yet. */
  #lookingUp = 0;
  #attempting = 0;
  #recording = 0;
  /** When the requests in flight began. */
  readonly #polls = new Set<{ readonly begunAt: number }>();
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
  #flushAt: number | undefined;
  #soonAt: number | undefined;
  #quietAt: number | undefined;
  #startAt = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    const { topology, tasks, keepsResults, counts } = fleet;
    this.#slots = topology.tasksPerEnvironment;
    this.#runWatch = new ModelledRunWatch(fleet);
    this.#backlog = this.#newBacklog();
    this.#groups = new OutcomeGroups({
      slots: this.#slots,
      taskMilliseconds: tasks.milliseconds,
      keepsResults,
      onWrite: (items) => {
        counts.outcomeWrites++;
        this.#after(REQUEST_MILLISECONDS, () => this.#settled(items));
      },
      onStore: () => {
        counts.resultObjects++;
      },
    });
  }

  /** Waits until Lambda delivers a batch. */
  waitForBatch(): void {
    const { queue, topology } = this.#fleet;
    queue.receive(topology.batchSize, Number.POSITIVE_INFINITY, (batch) => this.#invoke(batch));
  }

  #after(milliseconds: number, act: () => void): void {
    const { clock } = this.#fleet;
    clock.at(clock.now + milliseconds, act);
  }

  #newBacklog(): ModelledBacklog {
    const { clock, queue, counts } = this.#fleet;
    return new ModelledBacklog(clock, queue, {
      request: () => {
        counts.depthRequests++;
      },
      change: () => this.#changed(),
    });
  }

  get #canRefill(): boolean {
    return this.#fleet.topology.consumer.refillSeconds > 0;
  }

  #invoke(batch: readonly number[]): void {
    const { topology, clock, counts } = this.#fleet;
    this.#isWorking = true;
    this.#batch = batch.length;
    this.#begunAt = clock.now;
    this.#refillUntil = clock.now + topology.consumer.refillSeconds * 1_000;
    this.#isQueueLow = batch.length < MOST_RECEIVED_MESSAGES;
    this.#wasEmpty = false;
    this.#mean = new MeanDuration();
    this.#backlog = this.#newBacklog();
    counts.invocations++;
    if (!this.#canRefill) {
      this.#receive(batch);
      return;
    }
    counts.visibilityChanges += Math.ceil(batch.length / LARGEST_BATCH.entries);
    this.#lookingUp = batch.length;
    this.#runWatch.noteMessages();
    // More messages follow a full batch.
    if (!this.#isQueueLow) this.#changed();
    this.#after(REQUEST_MILLISECONDS, () => {
      this.#lookingUp = 0;
      this.#receive(batch);
    });
  }

  #receive(messages: readonly number[]): void {
    const { failures, counts } = this.#fleet;
    this.#waiting.push(...messages);
    if (messages.length > 0) this.#runWatch.noteMessages();
    const known = messages.filter((message) => failures.has(message)).length;
    if (known > 0) counts.itemReads++;
    counts.readRows += ROWS_OF_ITEM * known;
    this.#start();
    this.#changed();
  }

  #start(): void {
    const { tasks, topology, clock } = this.#fleet;
    while (this.#attempting < this.#slots) {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      let startsAt = clock.now;
      if (tasks.perSecond !== undefined) {
        const interval = (1_000 * topology.environments) / tasks.perSecond;
        startsAt = Math.max(startsAt, this.#startAt);
        this.#startAt = startsAt + interval;
      }
      this.#attempting++;
      const milliseconds = tasks.milliseconds * (1 - tasks.spread + 2 * tasks.spread * clock.random());
      const hasFailed = tasks.failures > 0 && clock.random() < tasks.failures;
      clock.at(startsAt + milliseconds, () => this.#end(item, milliseconds, hasFailed));
    }
  }

  #end(item: number, milliseconds: number, hasFailed: boolean): void {
    const { counts, clock, pages } = this.#fleet;
    this.#attempting--;
    this.#recording++;
    this.#mean.add(milliseconds);
    counts.milliseconds = Math.max(counts.milliseconds, clock.now);
    if (hasFailed) this.#fail(item);
    else this.#groups.add(pages.pageOf(item), clock.now);
    if (this.#waiting.length > 0) this.#runWatch.noteMessages();
    this.#start();
    this.#changed();
  }

  /** Records a failed attempt. Its message returns to the queue, or the item dies. */
  #fail(item: number): void {
    const { counts, clock, failures, tasks, queue } = this.#fleet;
    const count = (failures.get(item) ?? 0) + 1;
    failures.set(item, count);
    counts.failureWrites++;
    if (count >= tasks.retry.attempts) {
      // The death is claimed, the dead letter is sent, and the death is recorded.
      counts.failureWrites += 2;
      counts.deadLetters++;
      this.#after(4 * REQUEST_MILLISECONDS, () => this.#settled(1));
      return;
    }
    counts.returns++;
    const pause = backoffMilliseconds(tasks.retry, count, clock.random());
    const seconds = Math.ceil(pause / VISIBILITY_MILLISECONDS);
    this.#after(2 * REQUEST_MILLISECONDS, () => {
      queue.returnAt(clock.now + seconds * VISIBILITY_MILLISECONDS, item);
      this.#recording--;
      this.#changed();
    });
  }

  /** The outcomes of items are recorded, and their messages are deleted. */
  #settled(items: number): void {
    this.#recording -= items;
    if (this.#canRefill) this.#delete(items);
    else this.#fleet.queue.delete(items);
    this.#changed();
  }

  #delete(items: number): void {
    const { counts, clock, queue } = this.#fleet;
    queue.delete(items);
    this.#toDelete += items;
    while (this.#toDelete >= LARGEST_BATCH.entries) {
      this.#toDelete -= LARGEST_BATCH.entries;
      counts.deletes++;
      this.#deleteDueAt = undefined;
    }
    if (this.#toDelete === 0 || this.#deleteDueAt !== undefined) return;
    const due = clock.now + LONGEST_WAIT_MILLISECONDS;
    this.#deleteDueAt = due;
    clock.at(due, () => {
      if (this.#deleteDueAt === due) this.#deleteRest();
    });
  }

  #deleteRest(): void {
    if (this.#toDelete > 0) this.#fleet.counts.deletes++;
    this.#toDelete = 0;
    this.#deleteDueAt = undefined;
  }

  get #isBusy(): boolean {
    return this.#attempting + this.#waiting.length + this.#lookingUp > 0;
  }

  #changed(): void {
    if (!this.#isWorking) return;
    this.#setPace();
    this.#scheduleFlush();
    if (this.#usableSlots > 0) this.#plan();
    this.#endIfIdle();
  }

  /** Outcomes wait for others of their pages only while others are to be expected. */
  #setPace(): void {
    const { clock } = this.#fleet;
    if (this.#attempting + this.#waiting.length > 0) {
      this.#soonAt = undefined;
      return;
    }
    if (!this.#isExpecting) {
      this.#groups.writeAll();
      return;
    }
    if (this.#soonAt !== undefined) return;
    const due = clock.now + SOON_MILLISECONDS;
    this.#soonAt = due;
    clock.at(due, () => {
      if (this.#soonAt !== due) return;
      this.#soonAt = undefined;
      this.#groups.writeAll();
    });
  }

  /** Whether messages are likely to arrive at once. */
  get #isExpecting(): boolean {
    const [oldest] = this.#polls;
    const seemsEmpty = oldest !== undefined && this.#fleet.clock.now - oldest.begunAt >= ANSWER_MILLISECONDS;
    return (this.#isPlanned || this.#polls.size > 0) && !this.#isQueueLow && !seemsEmpty;
  }

  #endIfIdle(): void {
    if (this.#isWorking && !this.#isBusy && this.#recording === 0 && this.#polls.size === 0 && !this.#isPlanned)
      this.#finish();
  }

  #finish(): void {
    const { counts, clock } = this.#fleet;
    this.#deleteRest();
    this.#isWorking = false;
    this.#quietAt = undefined;
    this.#backlog.end();
    counts.mappingRequests += 1 + Math.ceil(this.#batch / LARGEST_BATCH.entries);
    counts.environmentMilliseconds += clock.now + REQUEST_MILLISECONDS - this.#begunAt;
    this.#after(REQUEST_MILLISECONDS, () => this.waitForBatch());
  }

  #scheduleFlush(): void {
    const due = this.#groups.dueAt;
    if (due === undefined || due === this.#flushAt) return;
    this.#flushAt = due;
    this.#fleet.clock.at(due, () => {
      if (this.#flushAt !== due) return;
      this.#flushAt = undefined;
      if (this.#groups.dueAt === due) this.#groups.flush(due);
      this.#changed();
    });
  }

  /** An empty queue is asked again only while the invocation must wait anyway. */
  get #isUseful(): boolean {
    const canReceive = this.#canRefill && this.#fleet.clock.now < this.#refillUntil;
    return canReceive && (this.#isBusy || this.#polls.size > 0 || !this.#wasEmpty);
  }

  #plan(): void {
    if (this.#isPlanned || !this.#isUseful) return;
    this.#isPlanned = true;
    const { clock } = this.#fleet;
    // Slots that become free in the same millisecond are refilled together.
    clock.at(Math.floor(clock.now) + 1, () => {
      this.#isPlanned = false;
      this.#poll();
      this.#watchForQuiet();
      this.#endIfIdle();
    });
  }

  /** If no slot becomes free for a while, the prefetched messages are filled up. */
  #watchForQuiet(): void {
    this.#quietAt = undefined;
    const milliseconds = QUIET_PART * this.#meanMilliseconds;
    if (milliseconds < SHORTEST_QUIET_MILLISECONDS) return;
    const due = this.#fleet.clock.now + milliseconds;
    this.#quietAt = due;
    this.#fleet.clock.at(due, () => {
      if (this.#quietAt === due && this.#isWorking && this.#mayPrefetch(this.#usableSlots)) this.#poll(true);
    });
  }

  get #meanMilliseconds(): number {
    return this.#mean.milliseconds ?? this.#fleet.tasks.milliseconds;
  }

  /** How many slots may have a message: fewer if many outcomes wait to be recorded. */
  get #usableSlots(): number {
    return Math.max(0, Math.min(this.#slots, mostUnrecorded(this.#slots) - this.#recording));
  }

  get #withoutSlot(): number {
    return this.#waiting.length + this.#lookingUp;
  }

  #mayPrefetch(slots: number): boolean {
    const { clock, topology } = this.#fleet;
    if (this.#isQueueLow || !this.#isBusy) return false;
    if (clock.now >= this.#refillUntil - topology.consumer.refillWaitingSeconds * 1_000) return false;
    if (slots - this.#attempting - this.#withoutSlot - this.#requested >= MOST_RECEIVED_MESSAGES) return false;
    return this.#backlog.fillsSlots(topology.concurrency, this.#meanMilliseconds, this.#runWatch.isProducing);
  }

  #poll(isQuiet = false): void {
    if (!this.#isUseful) return;
    const slots = this.#usableSlots;
    const isProducing = this.#runWatch.isProducing;
    const requests = messagesToReceive({
      now: this.#fleet.clock.now,
      slots,
      attempting: this.#attempting,
      withoutSlot: this.#withoutSlot,
      requested: this.#requested,
      polls: this.#polls.size,
      isProducing,
      meanMilliseconds: this.#meanMilliseconds,
      isQueueLow: this.#isQueueLow,
      mayPrefetch: this.#mayPrefetch(slots),
      isQuiet,
    });
    const wait = this.#isBusy || isProducing ? WAIT_SECONDS * 1_000 : 0;
    for (const most of requests) this.#request(most, wait);
  }

  #request(most: number, waitMilliseconds: number): void {
    const { counts, queue, clock } = this.#fleet;
    const poll = { begunAt: clock.now };
    counts.receives++;
    this.#polls.add(poll);
    this.#requested += most;
    const answer = (messages: readonly number[]) => {
      this.#polls.delete(poll);
      this.#requested -= most;
      this.#wasEmpty = messages.length === 0;
      this.#isQueueLow = messages.length * 2 < most || messages.length === 0;
      this.#receive(messages);
    };
    this.#after(REQUEST_MILLISECONDS / 2, () =>
      queue.receive(most, waitMilliseconds, (messages) =>
        this.#after(REQUEST_MILLISECONDS / 2, () => answer(messages)),
      ),
    );
  }
}
