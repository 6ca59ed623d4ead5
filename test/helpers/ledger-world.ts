import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { Consumer } from "../../shared/consumer/consumer.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import { blockKey, ITEMS_PER_PAGE, type PageRow, pageKey, readPageRow, runKey } from "../../shared/ledger/rows.ts";
import { type Counts, type RunRecord, readRunRow } from "../../shared/ledger/run-record.ts";
import { Runs } from "../../shared/ledger/runs.ts";
import type { Key, LedgerStore, Row, Update } from "../../shared/ledger/store.ts";
import { type ControlEntry, continueEntry, startEntry } from "../../shared/messages/control.ts";
import { type Envelope, parseEnvelope } from "../../shared/messages/envelope.ts";
import type { Metrics } from "../../shared/metrics.ts";
import { Producer } from "../../shared/producer/producer.ts";
import type { OutgoingMessage, Queue } from "../../shared/queue.ts";
import type { Page } from "../../shared/sources/source.ts";
import type { TaskLogger } from "../../shared/task.ts";
import { PermanentError } from "../../shared/task-errors.ts";
import { defineWorkflow, type Workflow } from "../../shared/workflow.ts";

/** A page of the source: another salt is another content, and the items of `invalid` cannot be messages. */
export interface SourcePage {
  readonly size: number;
  readonly salt: number;
  readonly invalid: readonly number[];
}

/** What the source holds at one time. A producer that takes the run up again may find another version. */
export interface SourceVersion {
  readonly pages: readonly SourcePage[];
  /** The source says that it has ended with one more page, which is empty, and not with its last one. */
  readonly endsEmpty: boolean;
}

export interface Scenario {
  readonly versions: readonly SourceVersion[];
  /** Decides all that is left open: which step is next, whether it fails, how a task ends. Used up, all goes well. */
  readonly choices: readonly number[];
  /** Of 100 steps, so many fail: the process dies before or after it, or only the step fails, or its response is lost. */
  readonly faultPercent: number;
  /** Messages come twice: as a copy, or because they become visible while their consumer still works. */
  readonly duplicates: boolean;
  /** Dead letters that may be moved back to the queue, while the run works and after it. */
  readonly redrives: number;
  /** Full ledger pages that precede the source's first one. */
  readonly pagesBefore: number;
}

interface Process {
  dead: boolean;
  readonly version: number;
}

interface Step {
  readonly process: Process;
  readonly act: () => Promise<unknown>;
  readonly changes: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Message {
  readonly id: string;
  readonly body: string;
  receiveCount: number;
  holder: Process | undefined;
}

type Letter = Envelope & { readonly dead: NonNullable<Envelope["dead"]> };

const RUN = { workflow: "simulated", requestedAt: "2026-11-22T08:15:30.000Z" } as const;
const ATTEMPTS = 3;
const MOST_CONSUMERS = 3;
/** Far above what the largest scenario takes. */
const MOST_STEPS = 100_000;

/**
 * A run, worked off by the real producer and the real consumers over queues in memory, one step at a time: a step is
 * one access to the ledger's store or to a queue, and between any two of them another process may go on, or one die.
 */
export class LedgerWorld {
  readonly #store: LedgerStore;
  readonly #id: string;
  readonly #scenario: Scenario;
  #choice = 0;
  #steps: Step[] = [];
  #producer: Process | undefined;
  readonly #consumers = new Set<Process>();
  readonly #control: { body: string; receiveCount: number }[] = [];
  #messages: Message[] = [];
  #letters: Letter[] = [];
  #sent = 0;
  #redrives = 0;
  #clock = Date.parse(RUN.requestedAt);
  /** The source's version that each page had when the checkpoint passed it. */
  readonly #passed: number[] = [];
  readonly #succeeded = new Set<string>();
  /** Per life of an item, the receive counts under which a failure was recorded. */
  readonly #failures = new Map<string, Set<string>>();
  #completions: string[] = [];
  #statusBefore = "";

  constructor(store: LedgerStore, id: string, scenario: Scenario) {
    this.#store = store;
    this.#id = id;
    this.#scenario = scenario;
  }

  /** Works the run off, and checks what must hold on the way and at its end. */
  async work(): Promise<Counts> {
    await this.#begin();
    for (let steps = 0; ; steps++) {
      assert.ok(steps < MOST_STEPS, "the run does not come to an end");
      await setImmediate();
      const events = this.#events();
      if (events.length === 0) break;
      await events[this.#draw(events.length)]?.();
      if (steps % 8 === 0) await this.#checkCounts();
    }
    return await this.#checkEnd();
  }

  // Choices -----------------------------------------------------------------------------------------------------------

  #draw(below: number): number {
    const choice = this.#scenario.choices[this.#choice++];
    return choice === undefined ? 0 : choice % below;
  }

  get #chosen(): boolean {
    return this.#choice >= this.#scenario.choices.length;
  }

  #events(): (() => unknown)[] {
    const events: (() => unknown)[] = this.#steps.map((step) => () => this.#take(step));
    const control = this.#control[0];
    if (this.#producer === undefined && control !== undefined) events.push(() => this.#produce(control));
    const visible = this.#messages.filter(({ holder }) => holder === undefined);
    if (this.#consumers.size < MOST_CONSUMERS && visible.length > 0) events.push(() => this.#consume(visible));
    if (this.#producer === undefined && control === undefined && this.#statusBefore === "failed") {
      events.push(() => this.#resume());
    }
    if (this.#chosen) return events;
    const held = this.#messages.filter(({ holder }) => holder !== undefined);
    if (this.#scenario.duplicates && held.length > 0) {
      events.push(() => {
        const message = held[this.#draw(held.length)];
        if (message !== undefined) message.holder = undefined;
      });
    }
    const whole = this.#letters.filter(({ dead }) => dead.truncated === undefined);
    if (this.#redrives < this.#scenario.redrives && whole.length > 0) {
      events.push(() => {
        const letter = whole[this.#draw(whole.length)];
        if (letter === undefined) return;
        this.#redrives++;
        this.#letters = this.#letters.filter((each) => each !== letter);
        this.#enqueue(JSON.stringify(letter));
      });
    }
    return events;
  }

  // Steps and their faults --------------------------------------------------------------------------------------------

  #perform<Result>(process: Process, changes: boolean, act: () => Promise<Result>): Promise<Result> {
    if (process.dead) return Promise.reject(new Error("the process is dead"));
    return new Promise<Result>((resolve, reject) => {
      this.#steps.push({ process, changes, act, resolve: resolve as Step["resolve"], reject });
    });
  }

  async #take(step: Step): Promise<void> {
    this.#steps = this.#steps.filter((each) => each !== step);
    const { process, act, changes, resolve, reject } = step;
    const faulty = this.#draw(100) >= 100 - this.#scenario.faultPercent;
    const fault = faulty ? FAULTS[this.#draw(FAULTS.length)] : undefined;
    if (fault === "dies before") return this.#die(step);
    if (fault === "fails before") return reject(new Error("the service is unavailable"));
    const result = await act();
    if (fault === "dies after") return this.#die(step);
    if (fault === "fails after") return reject(new Error("the service did not answer"));
    // What the SDK does when an answer is lost: it asks again, and gets the second answer.
    resolve(fault === "answer lost" && changes && !process.dead ? await act() : result);
  }

  #die({ process, reject }: Step): void {
    process.dead = true;
    reject(new Error("the process died"));
    for (const step of this.#steps) if (step.process === process) step.reject(new Error("the process died"));
    this.#steps = this.#steps.filter((step) => step.process !== process);
  }

  #storeOf(process: Process): LedgerStore {
    return {
      get: (key) => this.#perform(process, false, () => this.#store.get(key)),
      getMany: (keys) => this.#perform(process, false, () => this.#store.getMany(keys)),
      newest: (pk, limit) => this.#perform(process, false, () => this.#store.newest(pk, limit)),
      update: (key, update) =>
        this.#perform(process, true, async () => {
          const row = await this.#store.update(key, update);
          if (row !== undefined) this.#observe(process, key, update, row);
          return row;
        }),
    };
  }

  /** The model follows what took effect. */
  #observe(process: Process, key: Key, update: Update, row: Row): void {
    if (key.pk === runKey(this.#id).pk) {
      const status = String(row.status);
      if (status === "completed") {
        if (this.#statusBefore !== "completed") this.#checkNothingOwed();
        this.#completions.push(String(row.completedAt));
      }
      assert.ok(this.#statusBefore !== "completed" || status === "completed", "a completed run went on");
      this.#statusBefore = status;
      while (this.#scenario.pagesBefore + this.#passed.length < Number(row.pages)) this.#passed.push(process.version);
    }
    for (const attribute of Object.keys(update.set ?? {})) {
      if (!attribute.startsWith("failure ")) continue;
      const [life = "", receive = ""] = attribute.slice("failure ".length).split(".");
      const name = `${key.pk} ${key.sk} ${life}`;
      this.#failures.set(name, (this.#failures.get(name) ?? new Set()).add(receive));
    }
  }

  // The processes -----------------------------------------------------------------------------------------------------

  async #begin(): Promise<void> {
    const { pagesBefore } = this.#scenario;
    const { body } = startEntry({ ...RUN, run: this.#id });
    this.#control.push({ body, receiveCount: 0 });
    if (pagesBefore === 0) return;
    // As a producer and consumers would have left it: the pages of a block that are full and had no dead item.
    const runs = new Runs(this.#store, () => this.#clock);
    const run = await runs.create({ id: this.#id, ...RUN });
    const full = Array.from({ length: pagesBefore }, (_, page) => page);
    await this.#store.update(blockKey(this.#id, 0), { add: { full } });
    await runs.checkpoint(run, { cursor: 0, skip: 0, pages: pagesBefore, items: pagesBefore, ended: false });
    this.#statusBefore = "running";
  }

  #workflow(process: Process): Workflow {
    const version = this.#scenario.versions[process.version];
    assert.ok(version !== undefined);
    return defineWorkflow({
      name: RUN.workflow,
      source: { readPage: (cursor) => this.#readPage(version, Number(cursor ?? 0)) },
      task: (item) => this.#task(process, item as { id: string }),
      concurrency: 10,
      timeout: { hours: 0.2 },
      retry: { attempts: ATTEMPTS },
    });
  }

  #readPage({ pages, endsEmpty }: SourceVersion, position: number): Page {
    if (this.#draw(100) >= 100 - this.#scenario.faultPercent / 4) throw new Error("the source is unavailable");
    const page = pages[position];
    if (page === undefined) return { items: [] };
    const last = position === pages.length - 1 && !endsEmpty;
    return { items: itemsOf(page, position), ...(!last && { next: position + 1 }) };
  }

  #task(process: Process, item: { id: string }): void {
    const outcome = this.#draw(16);
    if (outcome > 12 && this.#scenario.faultPercent > 0) {
      process.dead = true;
    } else if (outcome > 11) {
      throw new PermanentError("never");
    } else if (outcome > 7) {
      throw new Error("not now");
    }
    if (!process.dead) this.#succeeded.add(item.id);
  }

  #start(): Process {
    const count = this.#scenario.versions.length;
    // One time in four the source has changed meanwhile.
    const version = this.#draw(4) === 3 ? this.#draw(count) : (this.#producer?.version ?? this.#lastVersion);
    return { dead: false, version };
  }
  #lastVersion = 0;

  async #produce(control: { body: string; receiveCount: number }): Promise<void> {
    const process = this.#start();
    this.#lastVersion = process.version;
    this.#producer = process;
    control.receiveCount++;
    const store = this.#storeOf(process);
    const producer = new Producer({
      workflow: this.#workflow(process),
      maxBacklog: 1_000_000,
      runs: new Runs(store, () => this.#now()),
      ledger: new Ledger(store, () => this.#now()),
      queue: this.#queueOf(process, (message) => this.#enqueue(message.body)),
      controlQueue: this.#queueOf(process, () => {}),
      deadLetterQueue: this.#queueOf(process, (message) => this.#bury(message.body)),
      logger: SILENT,
      metrics: UNCOUNTED,
      now: () => this.#now(),
      random: () => 0.5,
    });
    // Now and then a slice is over after a page.
    const sliceEnd = this.#draw(3) === 2 ? 0 : Number.POSITIVE_INFINITY;
    const handled = producer.handle(control, { sliceEnd, signal: new AbortController().signal });
    void handled
      .then(
        ({ tag }) => !process.dead && tag === "done",
        () => false,
      )
      .then((done) => {
        this.#producer = undefined;
        if (done) this.#control.splice(this.#control.indexOf(control), 1);
      });
  }

  async #consume(visible: readonly Message[]): Promise<void> {
    const process = this.#start();
    this.#consumers.add(process);
    const first = this.#draw(visible.length);
    const batch = visible.slice(first, first + 1 + this.#draw(4)).map((message) => {
      message.holder = process;
      message.receiveCount++;
      return { ...message, receiptHandle: message.id, attributes: {} };
    });
    const store = this.#storeOf(process);
    const consumer = new Consumer({
      workflow: this.#workflow(process),
      ledger: new Ledger(store, () => this.#now()),
      queue: this.#queueOf(process, (message) => this.#enqueue(message.body)),
      deadLetterQueue: this.#queueOf(process, (message) => this.#bury(message.body)),
      tasksPerEnvironment: 1 + this.#draw(3),
      logger: SILENT,
      metrics: UNCOUNTED,
      taskLogger: () => SILENT,
      now: () => this.#now(),
      random: () => 0.5,
    });
    void consumer.consume(batch, Number.POSITIVE_INFINITY).then((again) => {
      this.#consumers.delete(process);
      const settled = new Set(process.dead ? [] : batch.map(({ id }) => id).filter((id) => !again.includes(id)));
      this.#messages = this.#messages.filter(({ id }) => !settled.has(id));
      for (const message of this.#messages) if (message.holder === process) message.holder = undefined;
    });
  }

  async #resume(): Promise<void> {
    const reopened = await new Runs(this.#store).reopen(this.#id);
    assert.ok(reopened !== undefined);
    this.#statusBefore = "running";
    const { body } = continueEntry({ run: this.#id, workflow: RUN.workflow, hop: reopened.hop + 1 });
    this.#control.push({ body, receiveCount: 0 });
  }

  #now(): number {
    return this.#clock++;
  }

  // The queues --------------------------------------------------------------------------------------------------------

  #queueOf(process: Process, deliver: (message: OutgoingMessage) => void): Queue {
    const queue: Pick<Queue, "sendAll" | "sendControl" | "changeVisibility" | "changeVisibilities" | "depth"> = {
      sendAll: async (messages) => {
        // In two steps, so that a process can die when it has sent a part.
        const half = Math.ceil(messages.length / 2);
        for (const part of [messages.slice(0, half), messages.slice(half)]) {
          if (part.length > 0) await this.#perform(process, true, async () => part.forEach(deliver));
        }
      },
      sendControl: (entry) => this.#perform(process, true, async () => this.#deliverControl(entry)),
      changeVisibility: async () => {},
      changeVisibilities: async () => {},
      depth: async () => ({ visible: 0, inFlight: 0, delayed: 0 }),
    };
    return queue as Queue;
  }

  readonly #deduplicationIds = new Set<string>();
  #deliverControl({ body, deduplicationId }: ControlEntry): void {
    if (this.#deduplicationIds.has(deduplicationId)) return;
    this.#deduplicationIds.add(deduplicationId);
    this.#control.push({ body, receiveCount: 0 });
  }

  #enqueue(body: string): void {
    const copies = this.#scenario.duplicates && this.#draw(8) === 7 ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      // Now and then a message was throttled so often that a crash or two make it unexplained.
      const receiveCount = this.#draw(10) === 9 ? 4 : 0;
      this.#messages.push({ id: `message ${this.#sent++}`, body, receiveCount, holder: undefined });
    }
  }

  #bury(body: string): void {
    const { dead, ...envelope } = parseEnvelope(body);
    assert.ok(dead !== undefined, "a dead letter tells why");
    this.#letters.push({ ...envelope, dead });
  }

  // What must hold ----------------------------------------------------------------------------------------------------

  #pagePassed(page: number): { readonly content: SourcePage; readonly position: number } {
    const position = page - this.#scenario.pagesBefore;
    const content = this.#scenario.versions[this.#passed[position] ?? -1]?.pages[position];
    assert.ok(content !== undefined, `page ${page} was passed`);
    return { content, position };
  }

  *#itemsPassed(): Generator<{ page: number; index: number; id: string }> {
    for (let offset = 0; offset < this.#passed.length; offset++) {
      const page = this.#scenario.pagesBefore + offset;
      const { content, position } = this.#pagePassed(page);
      for (let index = 0; index < content.size; index++) yield { page, index, id: itemId(content, position, index) };
    }
  }

  /** At the very moment of completion: each item has succeeded, or a letter of it was sent. */
  #checkNothingOwed(): void {
    const buried = new Set(this.#letters.map(({ page, index }) => `${page}/${index}`));
    for (const { page, index, id } of this.#itemsPassed()) {
      if (this.#redrives > 0) break;
      assert.ok(this.#succeeded.has(id) || buried.has(`${page}/${index}`), `completed while item ${id} was owed`);
    }
  }

  /** The tree's sums, with all their short cuts, are those of its leaves. */
  async #checkCounts(): Promise<void> {
    const row = await this.#store.get(runKey(this.#id));
    if (row?.status === undefined) return;
    const run = readRunRow(row);
    const counts = await new Runs(this.#store).counts(run);
    assert.equal(counts.produced, this.#produced());
    assert.equal(counts.succeeded + counts.dead + counts.owed, counts.produced);
    // A redriven item that has succeeded counts once its page has climbed again.
    if (this.#redrives > 0 || run.status === "completed") return;
    const leaves = await this.#leaves();
    assert.equal(counts.dead, leaves.dead, "dead");
    assert.equal(counts.succeeded, leaves.done, "succeeded");
  }

  #produced(): number {
    return this.#scenario.pagesBefore + [...this.#itemsPassed()].length;
  }

  async #leaves(): Promise<{ done: number; dead: number }> {
    let done = this.#scenario.pagesBefore;
    let dead = 0;
    for (let offset = 0; offset < this.#passed.length; offset++) {
      const row = readPageRow((await this.#store.get(pageKey(this.#id, this.#scenario.pagesBefore + offset))) ?? {});
      for (let index = 0; index < row.size; index++) {
        if (fateOf(row, index) === "done") done++;
        if (fateOf(row, index) === "dead") dead++;
      }
    }
    return { done, dead };
  }

  async #checkEnd(): Promise<Counts> {
    const run: RunRecord = await new Runs(this.#store).get(this.#id);
    assert.equal(run.status, "completed", "nothing is left to do, and the run has not completed");
    assert.equal(run.checkpoint.ended, true);
    assert.equal(run.failure, undefined, "a completed run has not failed");
    assert.equal(new Set(this.#completions).size, 1, "it completed once");
    assert.equal(run.completedAt, this.#completions[0]);
    const counts = await new Runs(this.#store).counts(run);
    assert.equal(counts.produced, this.#produced());
    assert.equal(counts.owed, 0);
    assert.equal(counts.succeeded + counts.dead, counts.produced);
    const expected = { dead: 0, retriedLeast: 0, retriedMost: 0 };
    const reasons = new Map<string, number>();
    let ambiguous = false;
    for (const { page, index, id } of this.#itemsPassed()) {
      const row = readPageRow((await this.#store.get(pageKey(this.#id, page))) ?? {});
      const letters = this.#letters.filter(
        (letter) => letter.page === page && letter.index === index && letter.epoch === row.epoch,
      );
      const fate = fateOf(row, index);
      const failures = (life: number) =>
        this.#failures.get(`${pageKey(this.#id, page).pk} item#${index}#${row.epoch} ${life}`)?.size ?? 0;
      if (fate === "dead") {
        expected.dead++;
        assert.ok(letters.length > 0, `item ${id} is dead, and its letter is missing`);
        const latest = Math.max(...letters.map(({ dead }) => dead.redrives));
        const told = new Set(letters.filter(({ dead }) => dead.redrives === latest).map(({ dead }) => dead.reason));
        if (told.size > 1) ambiguous = true;
        for (const reason of told) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        if (letters.every(({ dead }) => dead.truncated === undefined)) {
          for (const { item } of letters) assert.equal((item as { id: string }).id, id);
        }
        expected.retriedMost += Math.max(0, failures(0) - 1);
      } else {
        assert.equal(fate, "done", `item ${id}`);
        assert.ok(this.#succeeded.has(id), `item ${id} counts as done, and never succeeded`);
        // A letter that was sent twice and redriven once leaves one behind, which a redrive then drops unrun.
        if (this.#redrives === 0) assert.deepEqual(letters, [], `item ${id} is done, and in the dead-letter queue`);
        expected.retriedMost += failures(0);
      }
    }
    assert.equal(counts.dead, expected.dead);
    if (!ambiguous) assert.deepEqual(counts.deadByReason, Object.fromEntries(reasons));
    const byReason = Object.values(counts.deadByReason).reduce((a, b) => a + b, 0);
    assert.equal(byReason, counts.dead, "each dead item has one reason");
    if (!this.#scenario.duplicates && this.#redrives === 0) {
      assert.equal(counts.retried, expected.retriedMost, "retried");
    } else if (this.#redrives === 0) {
      assert.ok(counts.retried <= expected.retriedMost, "retried");
    }
    return counts;
  }
}

const FAULTS = ["dies before", "dies after", "fails before", "fails after", "answer lost"] as const;

const SILENT: TaskLogger = { debug() {}, info() {}, warn() {}, error() {} };
const UNCOUNTED: Metrics = { count() {}, duration() {}, peak() {} };

const itemId = ({ salt }: SourcePage, position: number, index: number): string => `${position}/${salt}/${index}`;

function itemsOf(page: SourcePage, position: number): readonly unknown[] {
  assert.ok(page.size <= ITEMS_PER_PAGE, "a page of the source is one of the ledger");
  return Array.from({ length: page.size }, (_, index) => {
    const id = itemId(page, position, index);
    return page.invalid.includes(index) ? { id, value: 1n } : { id };
  });
}

function fateOf(row: PageRow, index: number): "done" | "dead" | "owed" {
  const dead = row.dead.has(index);
  const done = row.done.has(index) && !row.dying.has(index);
  assert.ok(!(done && dead), "an item is done or dead");
  return done ? "done" : dead ? "dead" : "owed";
}
