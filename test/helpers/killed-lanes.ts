import { setImmediate } from "node:timers/promises";
import { continueRun } from "../../cli/runs/continue-run.ts";
import type { ControlEntry, Queue } from "../../shared/aws/queue.ts";
import type { LedgerStore } from "../../shared/aws/table.ts";
import { type Cursor, defineWorkflow, PermanentError, RetryLater, type WorkflowOptions } from "../../shared/index.ts";
import { announceOn } from "../../shared/ledger/announce.ts";
import { runKey } from "../../shared/ledger/keys.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import { hasEnded, isStopping } from "../../shared/ledger/run-record.ts";
import { startEntry } from "../../shared/messages/control.ts";
import { type Envelope, parseEnvelope } from "../../shared/messages/envelope.ts";
import { addressOf, pageKey } from "../../shared/messages/item-address.ts";
import { Producer } from "../../shared/producer/producer.ts";
import { Random } from "../chaos/random.ts";
import { MemoryStore } from "./memory-store.ts";

const RUN = "run";
const WORKFLOW = "killed";
const START = Date.parse("2026-11-28T08:00:00.000Z");

const PARTITIONS = 8;
const CONSUMERS = 3;

/** How long a control message stays hidden after its producer died or froze, in milliseconds. */
const VISIBILITY_MILLISECONDS = 30_000;
/** How long one operation takes at most, in milliseconds. */
const OPERATION_MILLISECONDS = 20;
/** A run with more steps never ends. */
const MOST_STEPS = 20_000;

/**
 * What happens to the producer that makes an operation: it dies, or it is frozen and continues much later. `before`: the
 * operation has no effect until then.
 */
export interface Accident {
  readonly kind: "dies" | "freezes";
  readonly when: "before" | "after";
  /** The number of the operation among all operations of all producers, from 0. */
  readonly operation: number;
}

/** What a person does, before an operation of a producer. A run that is paused is resumed. */
export interface Command {
  readonly kind: "pause" | "cancel";
  readonly operation: number;
}

export interface Killed {
  /** Decides everything that the plan does not say. */
  readonly seed: number;
  readonly accidents?: readonly Accident[] | undefined;
  readonly commands?: readonly Command[] | undefined;
  /** The limit of items of the workflow. */
  readonly limit?: number | undefined;
  /** How many lanes read the source. */
  readonly lanes?: number | undefined;
  /** How many items each partition has. */
  readonly sizes?: readonly number[] | undefined;
}

/** What came of a run. */
export interface Ended {
  readonly status: string;
  /** How many operations the producers made. */
  readonly operations: number;
  readonly violations: readonly string[];
}

interface Item {
  readonly id: string;
  readonly isBad: boolean;
}

/** An operation that an actor waits for. */
interface Waiting {
  readonly actor: Actor;
  readonly perform: () => Promise<void>;
}

/** A process: a producer, a consumer, or a person. */
class Actor {
  readonly isProducer: boolean;
  isDead = false;
  frozenUntil = 0;
  readonly lost = new AbortController();

  constructor(isProducer: boolean) {
    this.isProducer = isProducer;
  }
}

/** A control message. While a producer holds it, no other message of its group is delivered. */
interface Control {
  readonly entry: ControlEntry;
  readonly id: string;
  receives: number;
  visibleAt: number;
  holder: Actor | undefined;
}

/**
 * A run of partitions in virtual time, with several lanes, whose producers, consumers and person make one operation
 * at a time, in an order that the seed decides. The code of producers and of the ledger is the product's own.
 */
class KilledLanes {
  readonly #plan: Killed;
  readonly #random: Random;
  readonly #rows = new MemoryStore();
  readonly #parts: readonly (readonly Item[])[];
  readonly #pageSize: number;
  readonly #lanes: number;
  readonly #brokenReads = new Map<string, Error>();
  readonly #controls: Control[] = [];
  readonly #seenControls = new Set<string>();
  readonly #messages: { readonly envelope: Envelope; visibleAt: number }[] = [];
  readonly #items = new Map<string, string>();
  readonly #deadLetters: string[] = [];
  readonly #violations: string[] = [];
  #waiting: Waiting[] = [];
  #now = START;
  #operations = 0;
  #producers = 0;
  #consumers = 0;
  #completions = 0;
  #ends = 0;
  readonly #given = new Set<Command>();
  #isResuming = false;
  #resumeAt: number | undefined;
  #struckCompletions = 0;

  constructor(plan: Killed) {
    this.#plan = plan;
    this.#random = new Random(plan.seed);
    const random = this.#random;
    const lanes = random.integer(2, 4);
    this.#lanes = plan.lanes ?? lanes;
    this.#pageSize = random.integer(1, 2);
    // In every fourth run, the partitions have many pages.
    const most = plan.seed % 4 === 3 ? 9 : 4;
    this.#parts = Array.from({ length: plan.sizes?.length ?? PARTITIONS }, (_, part) =>
      Array.from(
        { length: plan.sizes?.[part] ?? (random.chance(0.25) ? 0 : random.integer(1, most)) },
        (_, number) => ({
          id: `${part}/${number}`,
          isBad: random.chance(0.15),
        }),
      ),
    );
    const part = () => String(random.integer(0, this.#parts.length - 1));
    if (random.chance(0.3)) this.#brokenReads.set(part(), new PermanentError("it is damaged"));
    if (random.chance(0.3)) this.#brokenReads.set(part(), new RetryLater({ seconds: random.pick([2, 90]) }));
    if (random.chance(0.3)) this.#brokenReads.set(part(), new Error("no answer"));
  }

  async run(): Promise<Ended> {
    this.#sendControl(startEntry({ workflow: WORKFLOW, run: RUN, requestedAt: new Date(START).toISOString() }));
    for (let steps = 0; ; steps++) {
      // All promises that can resolve have resolved then.
      await setImmediate();
      if (steps > MOST_STEPS) throw new Error("the run does not end");
      const ways = this.#ways();
      const way = ways[this.#random.integer(0, ways.length - 1)];
      if (way !== undefined) await way();
      else if (!this.#passTime()) break;
    }
    await this.#check();
    const run = await this.#rows.get(runKey(RUN));
    return { status: String(run?.status), operations: this.#operations, violations: this.#violations };
  }

  /** What can happen now. */
  #ways(): readonly (() => unknown)[] {
    const ways: (() => unknown)[] = this.#waiting
      .filter(({ actor }) => actor.frozenUntil <= this.#now)
      .map((each) => () => this.#perform(each));
    if (this.#producers < this.#lanes + 1)
      for (const control of this.#deliverable()) ways.push(() => this.#deliver(control));
    if (this.#consumers < CONSUMERS)
      for (const message of this.#messages) if (message.visibleAt <= this.#now) ways.push(() => this.#consume(message));
    if (this.#resumeAt !== undefined && this.#resumeAt <= this.#now) ways.push(() => this.#resume());
    return ways;
  }

  /** Lets the time pass until something can happen. */
  #passTime(): boolean {
    const times = [
      ...this.#waiting.map(({ actor }) => actor.frozenUntil),
      ...this.#controls.map(({ visibleAt }) => visibleAt),
      ...this.#messages.map(({ visibleAt }) => visibleAt),
      ...(this.#resumeAt === undefined ? [] : [this.#resumeAt]),
    ].filter((time) => time > this.#now && time < Number.POSITIVE_INFINITY);
    if (times.length === 0) return false;
    this.#now = Math.min(...times);
    return true;
  }

  async #perform(waiting: Waiting): Promise<void> {
    const { actor, perform } = waiting;
    this.#now += this.#random.integer(1, OPERATION_MILLISECONDS);
    if (!actor.isProducer) return await this.#act(waiting, perform);
    const { accidents = [], commands = [] } = this.#plan;
    const command = commands.find((each) => each.operation === this.#operations && !this.#given.has(each));
    if (command !== undefined) return this.#command(command);
    const accident = accidents.find(({ operation }) => operation === this.#operations);
    this.#operations++;
    if (accident === undefined) return await this.#act(waiting, perform);
    if (this.#controls.some(({ holder, entry }) => holder === actor && entry.group.startsWith("complete")))
      this.#struckCompletions++;
    if (accident.when === "after") await this.#act(waiting, perform);
    for (const control of this.#controls) {
      if (control.holder === actor) control.visibleAt = this.#now + VISIBILITY_MILLISECONDS;
    }
    if (accident.kind === "freezes") {
      actor.frozenUntil = this.#now + this.#random.pick([1_000, 31_000, 60_000, 200_000]);
      return;
    }
    actor.isDead = true;
    this.#producers--;
    this.#waiting = this.#waiting.filter((each) => each.actor !== actor);
  }

  async #act(waiting: Waiting, perform: () => Promise<void>): Promise<void> {
    this.#waiting = this.#waiting.filter((each) => each !== waiting);
    await perform();
  }

  /** An operation of an actor: it is performed when the order says so. A dead actor gets no answer. */
  #step<Result>(actor: Actor, operate: () => Promise<Result> | Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (actor.isDead) return;
      const perform = async () => {
        try {
          const result = await operate();
          if (!actor.isDead) resolve(result);
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.push({ actor, perform });
    });
  }

  #storeOf(actor: Actor): LedgerStore {
    return {
      get: (key) => this.#step(actor, () => this.#rows.get(key)),
      getMany: (keys) => this.#step(actor, () => this.#rows.getMany(keys)),
      newest: (...query) => this.#step(actor, () => this.#rows.newest(...query)),
      update: (key, update) =>
        this.#step(actor, async () => {
          const before = await this.#rows.get(key);
          const row = await this.#rows.update(key, update);
          if (row?.completedAt !== undefined && before?.completedAt === undefined) this.#ends++;
          return row;
        }),
    };
  }

  #servicesOf(actor: Actor) {
    const send = (body: string) => {
      const envelope = parseEnvelope(body);
      this.#messages.push({ envelope, visibleAt: this.#now });
      const { partition, page, index, epoch } = addressOf(envelope);
      const place = `${partition}/${page}/${index}/${epoch}`;
      const { id } = envelope.item as Item;
      if ((this.#items.get(place) ?? id) !== id) this.#violations.push(`two items are at ${place}`);
      this.#items.set(place, id);
    };
    const queue = {
      depth: () => this.#step(actor, () => ({ visible: this.#messages.length, inFlight: 0, delayed: 0 })),
      sendAll: (all: readonly { readonly body: string }[]) =>
        this.#step(actor, () => {
          for (const { body } of all) send(body);
        }),
    } as unknown as Queue;
    const controlQueue = {
      sendControl: (entry: ControlEntry) => this.#step(actor, () => this.#sendControl(entry)),
    } as unknown as Queue;
    const deadLetterQueue = { sendAll: () => this.#step(actor, () => {}) } as unknown as Queue;
    const controlDeadLetterQueue = {
      sendControl: ({ body }: ControlEntry) =>
        this.#step(actor, () => this.#violations.push(`a control message was given up: ${body}`)),
    } as unknown as Queue;
    const ledger = new Ledger(this.#storeOf(actor), () => this.#now, announceOn(controlQueue));
    return { queue, controlQueue, deadLetterQueue, controlDeadLetterQueue, ledger, runs: ledger.runs };
  }

  // Control messages --------------------------------------------------------------------------------------------------

  #sendControl(entry: ControlEntry): void {
    if (this.#seenControls.has(entry.deduplicationId)) return;
    this.#seenControls.add(entry.deduplicationId);
    this.#controls.push({
      entry,
      id: String(this.#seenControls.size),
      receives: 0,
      visibleAt: this.#now,
      holder: undefined,
    });
  }

  /** The first message of each group, if it is visible. */
  #deliverable(): readonly Control[] {
    const groups = new Set<string>();
    return this.#controls.filter(({ entry, visibleAt }) => {
      const isFirst = !groups.has(entry.group);
      groups.add(entry.group);
      return isFirst && visibleAt <= this.#now;
    });
  }

  async #deliver(control: Control): Promise<void> {
    const actor = new Actor(true);
    // The holder before was dead or frozen. SQS refuses what it does with the message from now on.
    if (this.#random.chance(0.7)) control.holder?.lost.abort();
    control.holder = actor;
    control.receives++;
    control.visibleAt = Number.POSITIVE_INFINITY;
    this.#producers++;
    const { entry, id, receives } = control;
    const sliceEnd = this.#now + this.#random.integer(0, 300);
    void this.#producerOf(actor)
      .handle(
        { id, body: entry.body, group: entry.group, receiveCount: receives, sentAt: this.#now },
        { sliceEnd, signal: new AbortController().signal, lost: actor.lost.signal },
      )
      .then(
        (verdict) => {
          this.#producers--;
          if (control.holder !== actor) return;
          control.holder = undefined;
          if (verdict.tag === "done") this.#controls.splice(this.#controls.indexOf(control), 1);
          else control.visibleAt = this.#now + (verdict.tag === "wait" ? verdict.milliseconds : 0);
        },
        (error) => {
          this.#violations.push(`a producer threw: ${error}`);
          this.#producers--;
        },
      );
  }

  #producerOf(actor: Actor): Producer {
    const nothing = () => {};
    return new Producer({
      ...this.#servicesOf(actor),
      workflow: this.#workflowOf(actor),
      maxBacklog: 1_000,
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      metrics: { count: nothing, duration: nothing, peak: nothing },
      now: () => this.#now,
      random: () => this.#random.next(),
      sleep: (milliseconds) =>
        this.#step(actor, () => {
          this.#now += milliseconds;
        }),
    });
  }

  #workflowOf(actor: Actor) {
    const partitions = () => this.#step(actor, () => this.#parts.map((_, part) => ({ id: String(part) })));
    const readPage = (cursor: Cursor | undefined, { partition }: { readonly partition?: { readonly id: string } }) =>
      this.#step(actor, () => {
        const { id = "" } = partition ?? {};
        const broken = this.#brokenReads.get(id);
        this.#brokenReads.delete(id);
        if (broken !== undefined) throw broken;
        const all = this.#parts[Number(id)] ?? [];
        const from = Number(cursor ?? 0);
        const to = from + this.#pageSize;
        return { items: all.slice(from, to).map((item) => ({ ...item })), next: to < all.length ? to : undefined };
      });
    return defineWorkflow({
      name: WORKFLOW,
      source: { partitions, readPage } as unknown as WorkflowOptions["source"],
      task: () => {},
      producers: this.#lanes,
      ...(this.#plan.limit !== undefined && { limit: this.#plan.limit }),
      concurrency: CONSUMERS,
      onComplete: () => {
        this.#completions++;
      },
    });
  }

  // Consumers and the person ------------------------------------------------------------------------------------------

  #consume(message: { readonly envelope: Envelope; visibleAt: number }): void {
    this.#consumers++;
    message.visibleAt = Number.POSITIVE_INFINITY;
    void this.#work(message.envelope).then((isDone) => {
      this.#consumers--;
      // A few messages are delivered twice.
      if (isDone && !this.#random.chance(0.05)) this.#messages.splice(this.#messages.indexOf(message), 1);
      else message.visibleAt = this.#now + 1_000;
    });
  }

  /** What a consumer does with a message. Returns whether it deletes the message. */
  async #work(envelope: Envelope): Promise<boolean> {
    const { ledger } = this.#servicesOf(new Actor(false));
    const item = addressOf(envelope);
    const { epoch, index, redriveGeneration, ...page } = item;
    const [[state], run] = await Promise.all([ledger.itemStates([item]), ledger.runs.find(RUN)]);
    if (state?.tag === "settled" || state?.tag === "stale") {
      await ledger.outcomes.rollUpAgain(page);
      return true;
    }
    if (run?.status === "paused") return false;
    const items = [{ index, redriveGeneration, failures: 0 }];
    if (run !== undefined && isStopping(run)) await ledger.outcomes.recordCancelled({ ...page, epoch, items });
    else if (!(envelope.item as Item).isBad) await ledger.outcomes.recordSuccesses({ ...page, epoch, items });
    else if (await ledger.outcomes.claimDeath(item)) {
      this.#deadLetters.push((envelope.item as Item).id);
      await ledger.outcomes.recordDeath(item, "permanent", 0);
    }
    if (run?.status === "failed") this.#resumeAt ??= this.#now + 5_000;
    return true;
  }

  #command(given: Command): void {
    const { kind } = given;
    this.#given.add(given);
    const { runs, controlQueue } = this.#servicesOf(new Actor(false));
    const command = async () => {
      if (kind === "pause") {
        await runs.pause(RUN);
        this.#resumeAt = this.#now + this.#random.pick([1, 2_000, 60_000]);
        return;
      }
      const run = (await runs.cancel(RUN)) ?? (await runs.find(RUN));
      if (run !== undefined && run.completedAt === undefined) await continueRun(controlQueue, run);
    };
    void command();
  }

  #resume(): void {
    this.#resumeAt = undefined;
    if (this.#isResuming) return;
    this.#isResuming = true;
    const { runs, controlQueue } = this.#servicesOf(new Actor(false));
    const resume = async () => {
      const run = await runs.reopen(RUN);
      if (run !== undefined) await continueRun(controlQueue, run);
      this.#isResuming = false;
    };
    void resume();
  }

  // What must hold ----------------------------------------------------------------------------------------------------

  async #check(): Promise<void> {
    const violate = (what: string) => this.#violations.push(what);
    const ledger = new Ledger(this.#rows, () => this.#now);
    const run = await ledger.runs.find(RUN);
    if (run === undefined) return void violate("there is no run");
    if (run.status === "failed" && run.completedAt === undefined) {
      // A person resumes the run. The source works by then.
      this.#resume();
      await this.run();
      return;
    }
    const mayBeCancelled = [...this.#given].some(({ kind }) => kind === "cancel");
    if (!hasEnded(run) || !(run.status === "completed" || (mayBeCancelled && run.status === "cancelled")))
      violate(`nothing is left to do, and the run is ${run.status}`);
    if (this.#ends !== 1) violate(`the run ended ${this.#ends} times`);
    if (run.completionHandledAt === undefined) violate("the end was not announced");
    if (this.#completions > 1 + this.#struckCompletions) violate(`onComplete ran ${this.#completions} times`);
    if ((await ledger.runs.active.list()).length > 0) violate("the run has ended, and is still one of the active runs");
    const counted = { produced: 0, succeeded: 0, dead: 0, cancelled: 0, pending: 0 };
    const produced: string[] = [];
    const dead: string[] = [];
    for (let partition = 1; partition <= this.#parts.length; partition++) {
      for (let page = 0; ; page++) {
        const row = await this.#rows.get(pageKey({ run: RUN, partition, page }));
        if (row === undefined || Number(row.size) === 0) break;
        for (let index = 0; index < Number(row.size); index++) {
          const id = this.#items.get(`${partition}/${page}/${index}/${row.epoch}`) ?? `${partition}/${page}/${index}`;
          const has = (name: string) => row[name] instanceof Set && (row[name] as ReadonlySet<number>).has(index);
          const places = [
            ...(has("done") ? ["succeeded" as const] : []),
            ...(Object.keys(row).some((name) => name.startsWith("dead: ") && has(name)) ? ["dead" as const] : []),
            ...(has("cancelled") ? ["cancelled" as const] : []),
          ];
          if (places.length !== 1) violate(`item ${id} is in ${places.join(" and ") || "no place"}`);
          produced.push(id);
          counted.produced++;
          const [place = "pending"] = places;
          counted[place]++;
          if (place === "dead") dead.push(id);
        }
      }
    }
    const { retried: _, deadByReason: __, ...counts } = await ledger.runs.counts(run);
    if (JSON.stringify(counts, KEYS) !== JSON.stringify(counted, KEYS))
      violate(`the run counts ${JSON.stringify(counts)}, and its pages have ${JSON.stringify(counted)}`);
    const ids = this.#parts.flat().map(({ id }) => id);
    // A run with a limit has exactly the first items.
    const all = ids.slice(0, this.#plan.limit);
    const expected = run.status === "completed" ? all : all.filter((id) => produced.includes(id));
    // An item of a run that was cancelled may belong to it without a message.
    const known = run.status === "completed" ? produced : produced.filter((id) => all.includes(id));
    if (known.toSorted().join() !== [...new Set(expected)].toSorted().join())
      violate(`the run has the items ${known.toSorted().join()}, and the source ${expected.toSorted().join()}`);
    if ([...new Set(this.#deadLetters)].toSorted().join() !== dead.toSorted().join())
      violate(`the dead letters are ${this.#deadLetters.join()}, and the dead items ${dead.join()}`);
  }
}

const KEYS = ["produced", "succeeded", "dead", "cancelled", "pending"];

/** Lets a run with partitions end, with accidents and commands at the given operations. A plan always does the same. */
export const endKilledLanes = (plan: Killed): Promise<Ended> => new KilledLanes(plan).run();
