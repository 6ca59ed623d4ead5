import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { Key, LedgerStore, Row, Update } from "../../shared/aws/table.ts";
import type { Failure, Reason } from "../../shared/base/failure.ts";
import type { AttemptsRow } from "../../shared/ledger/attempts-row.ts";
import { runKey } from "../../shared/ledger/keys.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import { readPageRow } from "../../shared/ledger/page-row.ts";
import { type Counts, isStopping, type RunRecord, readRunRow } from "../../shared/ledger/run-record.ts";
import type { Runs } from "../../shared/ledger/runs.ts";
import { blockKey, type ItemAddress, pageKey } from "../../shared/messages/item-address.ts";

/** A page of the source. Two pages with different salts have different content. */
export interface SourcePage {
  readonly size: number;
  readonly salt: number;
  /** The indexes of the items that cannot be messages. */
  readonly invalid: readonly number[];
}

/** What the source contains at one time. The next producer of the run may find another version. */
export interface SourceVersion {
  readonly pages: readonly SourcePage[];
  /** Whether the source ends with an additional empty page. If not, its last page with items says that it has ended. */
  readonly endsEmpty: boolean;
}

export interface Scenario {
  readonly versions: readonly SourceVersion[];
  /**
   * The choices of the simulation: which step is next, whether it fails, how a task ends. When all choices are used, no
   * more faults happen.
   */
  readonly choices: readonly number[];
  /**
   * How many of 100 steps fail. The process dies before or after the step, or only the step fails, or its response is
   * lost, or the step times out and takes effect at any later time.
   */
  readonly faultPercent: number;
  /**
   * Whether messages are delivered twice: as a copy, or because they become visible while their consumer still works.
   */
  readonly duplicates: boolean;
  /** The most redrives of dead letters, during the run and after it. */
  readonly redrives: number;
  /** The run may be cancelled after this many choices. `undefined`: it is not cancelled. */
  readonly cancelledAfter: number | undefined;
  /** The number of complete pages in the ledger, with one item each, before the first page of the source. */
  readonly pagesBefore: number;
}

/** One invocation of a function. */
interface Process {
  dead: boolean;
}

/** One access to the ledger's store or to a queue. */
interface Step {
  readonly process: Process;
  readonly act: () => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Message {
  readonly id: number;
  readonly item: ItemAddress;
  readonly content: string;
  readonly resent: boolean;
  receiveCount: number;
  holder: Process | undefined;
}

interface DeadLetter {
  readonly item: ItemAddress;
  readonly content: string;
  readonly reason: Reason;
  readonly truncated: boolean;
}

const REQUESTED_AT = "2026-11-22T08:15:30.000Z";
const ATTEMPTS = 3;
const UNEXPLAINED_RECEIVES = 5;
/** With these limits an item may wait twice, because the simulated clock hardly moves. */
const WAIT_MILLISECONDS = 1_000;
const WAIT_AT_MOST_MILLISECONDS = 2_500;
const NEVER_SEEN = { tag: "pending", failures: [], final: undefined, receives: new Map() } as const;
const MOST_FAILED_SLICES = 5;
const MOST_CONSUMERS = 3;
/** Far more steps than the largest scenario has. */
const MOST_STEPS = 100_000;
const FAULTS = ["dies before", "dies after", "fails before", "fails after", "answer lost", "times out"] as const;

/**
 * A run that a producer and consumers process with the real ledger code and with queues in memory. The world makes one
 * step at a time. Between any two steps, another process may continue, or a process may die.
 */
export class LedgerWorld {
  readonly #store: LedgerStore;
  readonly #id: string;
  readonly #scenario: Scenario;
  #choice = 0;
  #clock = Date.parse(REQUESTED_AT);
  #steps: Step[] = [];
  #producer: Process | undefined;
  readonly #consumers = new Set<Process>();
  /** The processes that redrive, each with the dead letter that it holds. */
  readonly #redrivers = new Map<Process, DeadLetter>();

  /** The hops of the continuations on the control queue. The start message counts as hop 0. */
  readonly #control: number[] = [0];
  readonly #hopsSent = new Set<number>();
  #messages: Message[] = [];
  #deadLetters: DeadLetter[] = [];
  #sent = 0;
  #redrives = 0;
  readonly #redrivenPages = new Set<number>();
  #cancelled = false;

  // What the model knows. It is updated by the writes that took effect.
  readonly #opened = new Map<number, SourcePage>();
  readonly #passed: SourcePage[] = [];
  readonly #succeeded = new Set<string>();
  /** The receive counts under which a failure of an item was recorded, before its first redrive. */
  readonly #failed = new Map<string, Set<string>>();
  /** The items whose success was recorded. */
  readonly #done = new Set<string>();
  /**
   * The items of which a failure was written too late to count: by a request that had timed out, so another consumer may have
   * read the row before, or after such a request had recorded the item's success.
   */
  readonly #failedLate = new Set<string>();
  #isLate = false;
  /** Messages of each item. */
  readonly #copies = new Map<string, number>();
  readonly #completions = new Set<string>();
  #announcements = 0;
  #status = "";

  constructor(store: LedgerStore, id: string, scenario: Scenario) {
    this.#store = store;
    this.#id = id;
    this.#scenario = scenario;
  }

  /** Processes the whole run, and checks what must hold during the run and at its end. */
  async work(): Promise<Counts> {
    await this.#begin();
    for (let steps = 0; ; steps++) {
      assert.ok(steps < MOST_STEPS, "the run comes to an end");
      // Lets every process continue to its next step.
      await setImmediate();
      const events = this.#events();
      if (events.length === 0) break;
      await events[this.#draw(events.length)]?.();
      if (steps % 8 === 0) await this.#checkCounts();
    }
    assert.ok(this.#producer === undefined && this.#consumers.size + this.#redrivers.size === 0, "no process hangs");
    return await this.#checkEnd();
  }

  async #begin(): Promise<void> {
    const { pagesBefore } = this.#scenario;
    if (pagesBefore === 0) return;
    // The state after a producer and consumers have processed pages of one item that succeeded at once.
    const runs = new Ledger(this.#store, () => this.#clock).runs;
    const run = await runs.create({ id: this.#id, workflow: "simulated", requestedAt: REQUESTED_AT });
    const full = Array.from({ length: pagesBefore }, (_, page) => page);
    await this.#store.update(blockKey({ run: this.#id, partition: 0, block: 0 }), { add: { full } });
    await runs.progress.checkpoint(run, { cursor: 0, skip: 0, pages: pagesBefore, items: pagesBefore, ended: false });
  }

  // Choices -----------------------------------------------------------------------------------------------------------

  #draw(below: number): number {
    const choice = this.#scenario.choices[this.#choice++];
    return choice === undefined ? 0 : choice % below;
  }

  #chance(percent: number): boolean {
    return this.#draw(100) >= 100 - percent;
  }

  #events(): (() => unknown)[] {
    const { choices, duplicates, redrives, cancelledAfter = Number.POSITIVE_INFINITY } = this.#scenario;
    const events: (() => unknown)[] = this.#steps.map((step) => () => this.#take(step));
    const hop = this.#control[0];
    if (this.#producer === undefined && hop !== undefined) events.push(() => this.#startProducer(hop));
    const visible = this.#messages.filter(({ holder }) => holder === undefined);
    if (this.#consumers.size < MOST_CONSUMERS && visible.length > 0) events.push(() => this.#startConsumer(visible));
    if (this.#producer === undefined && hop === undefined && this.#status === "failed") {
      events.push(() => this.#changeStatus("reopen"));
    }
    if (this.#choice >= choices.length) return events;
    const held = this.#messages.filter(({ holder }) => holder !== undefined);
    if (duplicates && held.length > 0) {
      events.push(() => {
        const message = held[this.#draw(held.length)];
        if (message !== undefined) message.holder = undefined;
      });
    }
    const atWork = new Set(this.#redrivers.values());
    const whole = this.#deadLetters.filter((deadLetter) => !deadLetter.truncated && !atWork.has(deadLetter));
    if (this.#redrives < redrives && whole.length > 0) events.push(() => this.#startRedrive(whole));
    if (this.#choice > cancelledAfter && !this.#cancelled && this.#status === "running") {
      events.push(() => this.#changeStatus("cancel"));
    }
    return events;
  }

  // What a person does ------------------------------------------------------------------------------------------------

  async #changeStatus(action: "reopen" | "cancel"): Promise<void> {
    // This ledger announces nothing. The producer that receives the continuation announces the end.
    const run = await new Ledger(this.#storeOf({ dead: false }, false), () => this.#now()).runs[action](this.#id);
    if (action === "cancel") this.#cancelled = true;
    if (run !== undefined) this.#sendControl(run.hop + 1);
  }

  #startRedrive(deadLetters: readonly DeadLetter[]): void {
    const deadLetter = deadLetters[this.#draw(deadLetters.length)];
    if (deadLetter === undefined) return;
    this.#redrives++;
    this.#redrivenPages.add(deadLetter.item.page);
    const process: Process = { dead: false };
    this.#redrivers.set(process, deadLetter);
    void this.#redrive(process, deadLetter)
      // If the redrive fails, the dead letter stays in the dead-letter queue.
      .catch(() => {})
      .then(() => this.#redrivers.delete(process));
  }

  /** Sends a dead letter's item again, records the redrive, and then deletes the dead letter. */
  async #redrive(process: Process, deadLetter: DeadLetter): Promise<void> {
    const ledger = new Ledger(this.#storeOf(process), () => this.#now());
    const [fate] = await ledger.itemFates([deadLetter.item]);
    if (fate === undefined || fate.tag === "unknown" || fate.tag === "stale") return;
    if (fate.tag !== "done") {
      const item = {
        ...deadLetter.item,
        redriveGeneration: Math.max(deadLetter.item.redriveGeneration, fate.lastGeneration) + 1,
      };
      const send = async () => this.#enqueue({ item, content: deadLetter.content, resent: false });
      await this.#perform(process, send);
      await ledger.outcomes.recordRedrives({ ...item, items: [item] });
    }
    await this.#perform(process, async () => {
      this.#deadLetters = this.#deadLetters.filter((each) => each !== deadLetter);
    });
  }

  // Steps and their faults --------------------------------------------------------------------------------------------

  #perform<Result>(process: Process, act: () => Promise<Result>): Promise<Result> {
    if (process.dead) return Promise.reject(new Error("the process is dead"));
    return new Promise<Result>((resolve, reject) => {
      this.#steps.push({ process, act, resolve: resolve as Step["resolve"], reject });
    });
  }

  async #take(step: Step): Promise<void> {
    this.#steps = this.#steps.filter((each) => each !== step);
    const { act, resolve, reject } = step;
    const fault = this.#chance(this.#scenario.faultPercent) ? FAULTS[this.#draw(FAULTS.length)] : undefined;
    if (fault === "dies before") return this.#die(step);
    if (fault === "fails before") return reject(new Error("the service is unavailable"));
    if (fault === "times out") {
      // The SDK sends the request again. The first request takes effect before or after the second one.
      this.#steps.push(step, {
        process: { dead: false },
        act: () => this.#late(act),
        resolve: () => {},
        reject: () => {},
      });
      return;
    }
    const result = await act();
    if (fault === "dies after") return this.#die(step);
    if (fault === "fails after") return reject(new Error("the service did not answer"));
    // The SDK sends the request again, and gets the response to the second one. Other processes may continue in
    // between.
    if (fault === "answer lost") this.#steps.push(step);
    else resolve(result);
  }

  /** Performs a request that nobody waits for any more. */
  async #late<Result>(act: () => Promise<Result>): Promise<Result> {
    this.#isLate = true;
    try {
      return await act();
    } finally {
      this.#isLate = false;
    }
  }

  #die({ process, reject }: Step): void {
    process.dead = true;
    reject(new Error("the process died"));
    for (const step of this.#steps) if (step.process === process) step.reject(new Error("the process died"));
    this.#steps = this.#steps.filter((step) => step.process !== process);
  }

  #storeOf(process: Process, inSteps = true): LedgerStore {
    const perform = <Result>(act: () => Promise<Result>) => (inSteps ? this.#perform(process, act) : act());
    return {
      get: (key) => perform(() => this.#store.get(key)),
      getMany: (keys) => perform(() => this.#store.getMany(keys)),
      newest: (pk, limit, before) => perform(() => this.#store.newest(pk, limit, before)),
      update: (key, update) =>
        perform(async () => {
          const row = await this.#store.update(key, update);
          if (row !== undefined) this.#observe(key, update, row);
          return row;
        }),
    };
  }

  /** Updates the model after a write that took effect. */
  #observe(key: Key, update: Update, row: Row): void {
    const { set = {} } = update;
    if (key.pk === runKey(this.#id).pk) {
      while (this.#scenario.pagesBefore + this.#passed.length < Number(row.pages)) {
        const content = this.#opened.get(this.#scenario.pagesBefore + this.#passed.length);
        assert.ok(content !== undefined, "a page was passed that was never opened");
        this.#passed.push(content);
      }
      this.#status = String(row.status);
      assert.ok(this.#completions.size === 0 || row.completedAt !== undefined, "a run that has ended went on");
      if (row.completedAt !== undefined) {
        if (this.#completions.size === 0) this.#checkNothingPending();
        this.#completions.add(String(row.completedAt));
      }
    }
    // A page without items was closed, and not opened.
    if (set.digest !== undefined && set.size !== 0) {
      const page = Number(key.pk.slice(key.pk.lastIndexOf("#") + 1));
      this.#opened.set(page, JSON.parse(String(set.digest)) as SourcePage);
    }
    for (const index of (update.add?.done as readonly number[] | undefined) ?? []) {
      this.#done.add(`${key.pk} item#${index}#${row.epoch}`);
    }
    for (const attribute of Object.keys(set).filter((each) => each.startsWith("failure 0."))) {
      const item = `${key.pk} ${key.sk}`;
      const isKnown = this.#failed.get(item)?.has(attribute) === true;
      if (!isKnown && (this.#isLate || this.#done.has(item))) this.#failedLate.add(item);
      this.#failed.set(item, (this.#failed.get(item) ?? new Set()).add(attribute));
    }
  }

  #now(): number {
    return this.#clock++;
  }

  // The producer ------------------------------------------------------------------------------------------------------

  #startProducer(hop: number): void {
    const process: Process = { dead: false };
    this.#producer = process;
    void this.#produce(process, hop)
      .catch(() => false)
      .then((done) => {
        this.#producer = undefined;
        if (done && !process.dead) this.#control.splice(this.#control.indexOf(hop), 1);
      });
  }

  /** @returns whether the continuation can be deleted. */
  async #produce(process: Process, hop: number): Promise<boolean> {
    const store = this.#storeOf(process);
    const announce = () => this.#perform(process, async () => void this.#announcements++);
    const runs = new Ledger(store, () => this.#now(), announce).runs;
    if (hop === 0) {
      await runs.create({ id: this.#id, workflow: "simulated", requestedAt: REQUESTED_AT });
      await this.#perform(process, async () => this.#sendControl(1));
      return true;
    }
    const run = await runs.progress.takeUp(this.#id, hop);
    if (run === undefined) return true;
    if (isStopping(run)) {
      await this.#endProduction(process, new Ledger(store, () => this.#now(), announce), run);
      await runs.stopping.cancelWaiting(run, this.#now(), () => false);
      return true;
    }
    if (run.failedSlices >= MOST_FAILED_SLICES) {
      await runs.progress.fail(this.#id, "again and again");
      return true;
    }
    try {
      const end = await this.#slice(process, runs, new Ledger(store, () => this.#now(), announce), run);
      if (end === "time") await this.#perform(process, async () => this.#sendControl(hop + 1));
      // The other producer may have died after its request. The continuation is received again.
      return end !== "superseded";
    } catch (error) {
      const run = await runs.get(this.#id);
      const failures = Math.max(1, run.failedSlices);
      await runs.progress.recordSlice(run, failures, String(error), []);
      if (failures >= MOST_FAILED_SLICES) await runs.progress.fail(this.#id, String(error));
      return failures >= MOST_FAILED_SLICES;
    }
  }

  /** @returns `time`: the producer must send the next continuation; `superseded`: another producer has advanced the run. */
  async #slice(
    process: Process,
    runs: Runs,
    ledger: Ledger,
    start: RunRecord,
  ): Promise<"ended" | "time" | "superseded"> {
    const { versions, pagesBefore } = this.#scenario;
    const source = versions[this.#draw(versions.length)];
    assert.ok(source !== undefined);
    await runs.progress.closeAgain(start);
    for (let run = start; !run.checkpoint.ended; ) {
      const { pages, items } = run.checkpoint;
      const position = pages - pagesBefore;
      const content = source.pages[position];
      if (content !== undefined && !(await this.#sendPage(process, ledger, pages, content))) return "superseded";
      const ended = content === undefined || (position === source.pages.length - 1 && !source.endsEmpty);
      const next = await runs.progress.checkpoint(run, {
        cursor: ended ? undefined : position + 1,
        skip: 0,
        pages: pages + (content === undefined ? 0 : 1),
        items: items + (content?.size ?? 0),
        ended,
      });
      if (next === undefined) return "superseded";
      run = next;
      if (isStopping(run)) {
        await this.#endProduction(process, ledger, run);
        return "ended";
      }
      if (!run.checkpoint.ended && this.#chance(20)) return "time";
    }
    return "ended";
  }

  async #endProduction(process: Process, ledger: Ledger, run: RunRecord): Promise<void> {
    await ledger.runs.stopping.endProduction(run, ({ item, reason, deadLetter }) =>
      this.#sendDeadLetter(process, ledger, item, deadLetter, reason, 0),
    );
  }

  /** @returns false if the run was stopped before the page. */
  async #sendPage(process: Process, ledger: Ledger, page: number, content: SourcePage): Promise<boolean> {
    const { size, invalid } = content;
    const opened = await ledger.pages.open(
      { run: this.#id, partition: 0, page },
      { size, digest: JSON.stringify(content) },
    );
    if (opened === undefined) return false;
    const pending = Array.from({ length: size }, (_, index) => index).filter((index) => !opened.isSettled(index));
    const itemOf = (index: number): ItemAddress => ({
      run: this.#id,
      partition: 0,
      page,
      index,
      epoch: opened.epoch,
      redriveGeneration: 0,
    });
    const sendable = pending.filter((index) => !invalid.includes(index));
    // The messages are sent in two steps, so that a producer can die after it has sent a part of them.
    const half = Math.ceil(sendable.length / 2);
    for (const part of [sendable.slice(0, half), sendable.slice(half)]) {
      if (part.length === 0) continue;
      await this.#perform(process, async () => {
        for (const index of part) {
          this.#enqueue({ item: itemOf(index), content: contentId(content, index), resent: opened.resent });
        }
      });
    }
    for (const index of pending.filter((each) => invalid.includes(each))) {
      const item = itemOf(index);
      const id = contentId(content, index);
      await ledger.attempts.recordDeadLetter(item, "invalid item", id);
      await this.#deadLetter(process, ledger, item, id, "invalid item", 0);
    }
    return true;
  }

  #sendControl(hop: number): void {
    if (!this.#hopsSent.has(hop)) this.#control.push(hop);
    this.#hopsSent.add(hop);
  }

  #enqueue(message: Pick<Message, "item" | "content" | "resent">): void {
    const copies = this.#scenario.duplicates && this.#chance(12) ? 2 : 1;
    const name = itemName(message.item);
    this.#copies.set(name, (this.#copies.get(name) ?? 0) + copies);
    for (let copy = 0; copy < copies; copy++) {
      // Some messages were throttled so often that one or two crashes make them unexplained.
      const receiveCount = this.#chance(10) ? UNEXPLAINED_RECEIVES - 1 : 0;
      this.#messages.push({ ...message, id: this.#sent++, receiveCount, holder: undefined });
    }
  }

  // The consumers -----------------------------------------------------------------------------------------------------

  #startConsumer(visible: readonly Message[]): void {
    const process: Process = { dead: false };
    this.#consumers.add(process);
    const first = this.#draw(visible.length);
    const batch = visible.slice(first, first + 1 + this.#draw(4)).map((message) => {
      message.holder = process;
      message.receiveCount++;
      return { ...message };
    });
    const settled = new Set<number>();
    void this.#consume(process, batch, settled)
      .catch(() => {})
      .then(() => {
        this.#consumers.delete(process);
        this.#messages = this.#messages.filter(({ id }) => process.dead || !settled.has(id));
        for (const message of this.#messages) if (message.holder === process) message.holder = undefined;
      });
  }

  /** Processes a batch, and adds the messages that must be deleted to `settled`. */
  async #consume(process: Process, batch: readonly Message[], settled: Set<number>): Promise<void> {
    const store = this.#storeOf(process);
    const announce = () => this.#perform(process, async () => void this.#announcements++);
    const ledger = new Ledger(store, () => this.#now(), announce);
    // The ledger is asked only about items that may have been processed before.
    const known = batch.filter(
      ({ receiveCount, resent, item }) => receiveCount > 1 || resent || item.redriveGeneration > 0,
    );
    const found = known.length === 0 ? [] : await ledger.itemStates(known.map(({ item }) => item));
    const states = new Map(known.map(({ id }, position) => [id, found[position]]));
    const run = this.#scenario.cancelledAfter !== undefined ? await new Ledger(store).runs.find(this.#id) : undefined;
    const stopping = run !== undefined && isStopping(run);
    const successes: { readonly message: Message; readonly failures: number }[] = [];
    for (const message of batch) {
      try {
        const state = states.get(message.id) ?? NEVER_SEEN;
        if (state.tag === "settled")
          await ledger.outcomes.rollUpAgain({ run: this.#id, partition: 0, page: message.item.page });
        if (state.tag !== "pending") {
          settled.add(message.id);
          continue;
        }
        const outcome = this.#outcome(process, message, state, stopping);
        if (outcome === "succeeds") successes.push({ message, failures: state.failures.length });
        else if (await this.#settleUnsuccessful(process, ledger, message, outcome, state)) {
          settled.add(message.id);
        }
      } catch {
        // The message is received again.
      }
    }
    const pages = Map.groupBy(successes, ({ message: { item } }) => `${item.page}/${item.epoch}`);
    for (const group of pages.values()) {
      const { page, epoch } = group[0]?.message.item ?? assert.fail();
      const items = group.map(({ message: { item }, failures }) => ({ ...item, failures }));
      try {
        await ledger.outcomes.recordSuccesses({ run: this.#id, partition: 0, page, epoch, items });
        for (const { message } of group) settled.add(message.id);
      } catch {
        // The messages are received again.
      }
    }
  }

  #outcome(
    process: Process,
    message: Message,
    state: { readonly failures: readonly Failure[]; readonly final: Reason | undefined },
    stopping: boolean,
  ): Outcome {
    const { failures, final } = state;
    if (final !== undefined) return { deadLetteredAs: final };
    if (failures.length >= ATTEMPTS) return { deadLetteredAs: "exhausted" };
    if (message.receiveCount - 1 - failures.length >= UNEXPLAINED_RECEIVES) return { deadLetteredAs: "unexplained" };
    if (stopping) return "cancelled";
    const drawn = this.#draw(16);
    if (drawn > 12 && this.#scenario.faultPercent > 0) {
      process.dead = true;
      throw new Error("the task ended its process");
    }
    if (drawn > 11) return { failsAs: "permanent" };
    if (drawn === 7) return "waits";
    if (drawn > 7) return { failsAs: failures.length + 1 >= ATTEMPTS ? "exhausted" : undefined };
    this.#succeeded.add(message.content);
    return "succeeds";
  }

  /** @returns whether the message must be deleted. */
  async #settleUnsuccessful(
    process: Process,
    ledger: Ledger,
    message: Message,
    outcome: Exclude<Outcome, "succeeds">,
    state: AttemptsRow,
  ): Promise<boolean> {
    const { failures: before } = state;
    const { item, content } = message;
    if (outcome === "waits") return await this.#wait(process, ledger, message, state);
    if (outcome === "cancelled") {
      await ledger.outcomes.recordCancelled({ ...item, items: [item] });
      return true;
    }
    if ("deadLetteredAs" in outcome) {
      await this.#deadLetter(process, ledger, item, content, outcome.deadLetteredAs, before.length);
      return true;
    }
    const failure: Failure = {
      attempt: before.length + 1,
      at: REQUESTED_AT,
      durationMilliseconds: 1,
      kind: "threw",
      name: "Error",
      message: "not now",
    };
    const failures = await ledger.attempts.recordFailure(item, message.receiveCount, failure, outcome.failsAs);
    const reason = outcome.failsAs ?? (failures.length >= ATTEMPTS ? "exhausted" : undefined);
    if (reason === undefined) return false;
    await this.#deadLetter(process, ledger, item, content, reason, failures.length);
    return true;
  }

  /** Records a wait. Sometimes a fresh message replaces the message, as if it were close to a limit of the queue. */
  async #wait(process: Process, ledger: Ledger, message: Message, state: AttemptsRow): Promise<boolean> {
    const { item, content, receiveCount } = message;
    const now = this.#now();
    const note = { at: REQUESTED_AT, name: "RetryLater", message: "not yet", milliseconds: WAIT_MILLISECONDS };
    const { waits, exceeds } = await ledger.attempts.recordWait(
      item,
      { kind: "retryLater", note, receive: receiveCount, startedAt: now, endedAt: now },
      state,
      { atMostMilliseconds: WAIT_AT_MOST_MILLISECONDS, isSuspect: false },
    );
    assert.ok(waits.milliseconds <= WAIT_AT_MOST_MILLISECONDS, "an item waited for longer than is allowed");
    if (exceeds) {
      await this.#deadLetter(process, ledger, item, content, "waited too long", state.failures.length + 1);
      return true;
    }
    if (!this.#chance(30)) return false;
    await this.#perform(process, async () => {
      const name = itemName(item);
      this.#copies.set(name, (this.#copies.get(name) ?? 0) + 1);
      this.#messages.push({ ...message, id: this.#sent++, resent: true, holder: undefined });
    });
    return true;
  }

  async #deadLetter(
    process: Process,
    ledger: Ledger,
    item: ItemAddress,
    content: string,
    reason: Reason,
    attempts: number,
  ): Promise<void> {
    if (await ledger.outcomes.claimDeath(item))
      await this.#sendDeadLetter(process, ledger, item, content, reason, attempts);
  }

  async #sendDeadLetter(
    process: Process,
    ledger: Ledger,
    item: ItemAddress,
    content: string,
    reason: Reason,
    attempts: number,
  ): Promise<void> {
    const truncated = reason === "invalid item";
    await this.#perform(process, async () => void this.#deadLetters.push({ item, content, reason, truncated }));
    await ledger.outcomes.recordDeath(item, reason, Math.max(0, attempts - 1));
  }

  // What must hold ----------------------------------------------------------------------------------------------------

  *#itemsPassed(): Generator<{ page: number; index: number; content: string }> {
    for (const [position, content] of this.#passed.entries()) {
      const page = this.#scenario.pagesBefore + position;
      for (let index = 0; index < content.size; index++) yield { page, index, content: contentId(content, index) };
    }
  }

  #produced(): number {
    return this.#passed.reduce((sum, { size }) => sum + size, this.#scenario.pagesBefore);
  }

  /** Checks, at the moment in which a run ends, that each item has succeeded or has a dead letter. */
  #checkNothingPending(): void {
    if (this.#redrives > 0 || this.#cancelled) return;
    const deadLettered = new Set(this.#deadLetters.map(({ item }) => `${item.page}/${item.index}`));
    for (const { page, index, content } of this.#itemsPassed()) {
      assert.ok(
        this.#succeeded.has(content) || deadLettered.has(`${page}/${index}`),
        `completed, item ${content} is pending`,
      );
    }
  }

  /** Checks that the counts, which the ledger sums up from rows of the tree, are those of the items. */
  async #checkCounts(): Promise<void> {
    const row = await this.#store.get(runKey(this.#id));
    if (row?.status === undefined) return;
    const run = readRunRow(row);
    const counts = await new Ledger(this.#store).runs.counts(run);
    assert.equal(counts.produced, this.#produced());
    assert.equal(counts.succeeded + counts.dead + counts.cancelled + counts.pending, counts.produced);
    await this.#checkReopened();
    // A redriven item that has settled counts after the next roll-up from its page.
    if (this.#redrives > 0 || run.completedAt !== undefined) return;
    const leaves = await this.#leaves();
    assert.equal(counts.dead, leaves.filter(({ fate }) => fate === "dead").length, "dead");
    assert.equal(counts.cancelled, leaves.filter(({ fate }) => fate === "cancelled").length, "cancelled");
    assert.equal(counts.pending, leaves.filter(({ fate }) => fate === "pending").length, "pending");
  }

  /** Checks that each item that is pending again has a message. Otherwise it would stay pending forever. */
  async #checkReopened(): Promise<void> {
    for (const page of this.#redrivenPages) {
      const row = readPageRow((await this.#store.get(pageKey({ run: this.#id, partition: 0, page }))) ?? {});
      for (const index of row.reopened) {
        const hasMessage = this.#messages.some(
          ({ item }) => item.page === page && item.index === index && item.redriveGeneration > 0,
        );
        assert.ok(hasMessage, `item ${index} of page ${page} is pending again, and has no message`);
      }
    }
  }

  async #leaves(): Promise<readonly Leaf[]> {
    const leaves: Leaf[] = [];
    const rows = new Map<number, ReturnType<typeof readPageRow>>();
    for (const each of this.#itemsPassed()) {
      const key = pageKey({ run: this.#id, partition: 0, page: each.page });
      const row = rows.get(each.page) ?? readPageRow((await this.#store.get(key)) ?? {});
      rows.set(each.page, row);
      const fates = (["done", "dead", "cancelled"] as const).filter((fate) => row[fate].has(each.index));
      assert.ok(fates.length <= 1, "an item has one fate");
      leaves.push({ ...each, epoch: row.epoch, fate: fates[0] ?? "pending" });
    }
    return leaves;
  }

  async #checkEnd(): Promise<Counts> {
    const runs = new Ledger(this.#store).runs;
    const run = await runs.get(this.#id);
    assert.ok(run.completedAt !== undefined, "nothing is left to do, and the run has not ended");
    assert.ok(run.status === "completed" || (this.#cancelled && run.status === "cancelled"), run.status);
    assert.ok(run.checkpoint.ended);
    assert.equal(run.failure, undefined, "a completed run has not failed");
    assert.deepEqual([...this.#completions], [run.completedAt], "it completed once");
    assert.ok(this.#announcements > 0, "its end was announced");
    const counts = await runs.counts(run);
    assert.equal(counts.produced, this.#produced());
    assert.equal(counts.pending, 0);
    const leaves = await this.#leaves();
    const reasons: Partial<Record<Reason, number>> = {};
    let ambiguous = false;
    let leastRetried = 0;
    let mostRetried = 0;
    for (const { page, index, content, epoch, fate } of leaves) {
      const name = itemName({ page, index, epoch });
      const deadLetters = this.#deadLetters.filter(({ item }) => itemName(item) === name);
      for (const deadLetter of deadLetters) assert.equal(deadLetter.content, content);
      if (fate === "dead") {
        assert.ok(deadLetters.length > 0, `item ${content} is dead, and its dead letter is missing`);
        const latest = Math.max(...deadLetters.map(({ item }) => item.redriveGeneration));
        const told = new Set(
          deadLetters.filter(({ item }) => item.redriveGeneration === latest).map(({ reason }) => reason),
        );
        if (told.size > 1) ambiguous = true;
        for (const reason of told) reasons[reason] = (reasons[reason] ?? 0) + 1;
      } else {
        assert.notEqual(fate, "pending", `item ${content}`);
        if (fate === "done") assert.ok(this.#succeeded.has(content), `item ${content} is done, and never succeeded`);
        // If a dead letter was sent twice and redriven once, the other one stays. Its redrive deletes it without an
        // attempt.
        if (this.#redrives === 0)
          assert.deepEqual(deadLetters, [], `item ${content} is ${fate}, and has a dead letter`);
      }
      const row = `${pageKey({ run: this.#id, partition: 0, page }).pk} item#${index}#${epoch}`;
      const failed = this.#failed.get(row)?.size ?? 0;
      const retried = fate === "dead" ? Math.max(0, failed - 1) : failed;
      mostRetried += failed;
      // If an item has two messages, the message that settles the item may not include the failures of the other
      // message. Nor does it include a failure that was written after its consumer had read the row.
      const alone = !this.#scenario.duplicates && (this.#copies.get(name) ?? 0) < 2 && !this.#failedLate.has(row);
      if (alone && fate !== "cancelled") leastRetried += retried;
    }
    assert.equal(counts.dead, leaves.filter(({ fate }) => fate === "dead").length, "dead");
    assert.equal(counts.cancelled, leaves.filter(({ fate }) => fate === "cancelled").length, "cancelled");
    assert.equal(counts.succeeded, counts.produced - counts.dead - counts.cancelled);
    // If two consumers dead-letter one item, their reasons may differ. The ledger counts one of the reasons.
    if (!ambiguous) assert.deepEqual(counts.deadByReason, reasons);
    assert.equal(
      Object.values(counts.deadByReason).reduce((a, b) => a + b, 0),
      counts.dead,
      "each dead item has one reason",
    );
    if (this.#redrives === 0) {
      assert.ok(
        counts.retried >= leastRetried && counts.retried <= mostRetried,
        `retried ${counts.retried}, and not ${leastRetried} to ${mostRetried}`,
      );
    }
    return counts;
  }
}

/**
 * What happens to a received message. `failsAs` is the reason for which the item dies; `undefined`: it is tried again.
 */
type Outcome =
  | "succeeds"
  | "cancelled"
  | "waits"
  | { readonly deadLetteredAs: Reason }
  | { readonly failsAs: Reason | undefined };

interface Leaf {
  readonly page: number;
  readonly index: number;
  readonly content: string;
  readonly epoch: number;
  readonly fate: "done" | "dead" | "cancelled" | "pending";
}

const contentId = (page: SourcePage, index: number): string => `${JSON.stringify(page)}/${index}`;
const itemName = ({ page, index, epoch }: Pick<ItemAddress, "page" | "index" | "epoch">): string =>
  `${page}/${index}/${epoch}`;
