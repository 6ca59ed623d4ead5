import { MalformedMessageError, toError } from "../errors.ts";
import type { ItemState } from "../ledger/ledger.ts";
import { parseEnvelope } from "../messages/envelope.ts";
import type { TaskLogger } from "../task.ts";
import { type AttemptOutcome, runAttempt } from "./attempt.ts";
import { Deleter } from "./deleter.ts";
import { Intake, type RefillOptions } from "./intake.ts";
import { type ItemMessage, ledgerItem, type ReceivedMessage } from "./message.ts";
import { type RunMode, RunWatch } from "./run-watch.ts";
import { Settlement, type SettlementOptions } from "./settlement.ts";
import { isSuspect, type Owed, Suspects, type SuspectsOptions } from "./suspects.ts";

export interface ConsumerOptions extends SettlementOptions, SuspectsOptions {
  readonly tasksPerEnvironment: number;
  /** Absent: the consumer works on its batch alone. */
  readonly refill?: RefillOptions | undefined;
  /** The task's logger, with what it runs on in each line. */
  readonly taskLogger: (fields: Readonly<Record<string, string | number>>) => TaskLogger;
}

/** A message with all that is known of it, waiting for a slot. */
interface Work {
  readonly item: ItemMessage;
  readonly state: ItemState;
  readonly mode: RunMode;
  readonly settled: Settled;
}

/** Called once a message's outcome is recorded (it is to be deleted), or is not (it must come again). */
type Settled = (message: ReceivedMessage, deletable: boolean) => void;

const NEVER_SEEN = { tag: "owed", failures: [], final: undefined, receives: new Map() } as const satisfies ItemState;

/** Outcomes that may wait to be recorded, for each slot, before no more messages are received. */
const UNRECORDED_PER_SLOT = 10;

/**
 * Works through the messages of one invocation, and says which of them are not to be deleted. It never throws for a
 * task's sake: a message whose outcome could not be recorded is reported, and comes again.
 *
 * A slot that is free is filled: with the batch's messages, and then with those that the consumer receives itself,
 * until `refill.until`. So an environment never waits for the slowest task of a batch.
 *
 * Made anew for each invocation: several may share a process.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #settlement: Settlement;
  readonly #runWatch: RunWatch;
  readonly #suspects: Suspects;
  readonly #intake: Intake;
  readonly #deleter: Deleter;
  readonly #waiting: Work[] = [];
  /** Attempts under way: slots that are taken. */
  #underWay = 0;
  /** Messages that are looked up, or whose outcome is being recorded. */
  #unrecorded = 0;
  /** Items that are looked up, each of which may want a slot. */
  #lookedUp = 0;
  /** Resolves when the batch's visibility is what it should be: a delay of one of its messages must come after it. */
  #shortened: Promise<void> = Promise.resolve();
  #onIdle: () => void = () => {};

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#settlement = new Settlement(options);
    this.#runWatch = new RunWatch(options.runs, options.now);
    this.#suspects = new Suspects(options);
    this.#intake = new Intake(options.queue, options.refill, options.logger);
    this.#deleter = new Deleter(options.queue, options.logger);
  }

  /**
   * @param deadline When recording must begin, in the clock's milliseconds.
   * @returns the ids of the batch's messages that must come again.
   */
  async consume(batch: readonly ReceivedMessage[], deadline: number): Promise<readonly string[]> {
    const again: string[] = [];
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    const refilling = this.#options.refill !== undefined;
    if (refilling) this.#shortened = this.#shortenVisibility(batch);
    await this.#admit(batch, deadline, ({ id, receiptHandle }, deletable) => {
      if (!deletable) again.push(id);
      // The mapping would delete it only at the invocation's end, when it may be visible again.
      else if (refilling) this.#deleter.delete(receiptHandle);
    });
    await idle;
    await this.#settlement.finish();
    await this.#deleter.flush();
    return again;
  }

  // The mapping's visibility timeout is that of a whole invocation, six times over. One that refills its slots is long,
  // a message's own work is short: should this process die, its messages are soon received again.
  async #shortenVisibility(batch: readonly ReceivedMessage[]): Promise<void> {
    const { queue, refill, logger } = this.#options;
    const milliseconds = (refill?.visibilityTimeoutSeconds ?? 0) * 1_000;
    try {
      await queue.changeVisibilities(batch.map(({ receiptHandle }) => ({ receiptHandle, milliseconds })));
    } catch (error) {
      logger.warn("the batch keeps the queue's visibility timeout", { error });
    }
  }

  /** Takes messages in: looks up what must be, and gives them to the slots. Never rejects. */
  async #admit(messages: readonly ReceivedMessage[], deadline: number, settled: Settled): Promise<void> {
    const { items, foreign } = this.#parse(messages);
    for (const { message, error } of foreign) {
      void this.#settle(message, settled, () => this.#settlement.foreign(message, error), deadline);
    }
    this.#unrecorded++;
    this.#lookedUp += items.length;
    try {
      const lookUps = await Promise.allSettled(await this.#lookUp(items));
      for (const [position, item] of items.entries()) {
        const lookUp = lookUps[position];
        if (lookUp?.status === "fulfilled") this.#waiting.push({ item, settled, ...lookUp.value });
        else {
          this.#options.logger.error("a message could not be looked up, it will come again", { error: lookUp?.reason });
          settled(item.message, false);
        }
      }
    } finally {
      this.#lookedUp -= items.length;
      this.#unrecorded--;
    }
    this.#advance(deadline);
  }

  /** What is known of each item, and what its run wants. */
  async #lookUp(items: readonly ItemMessage[]): Promise<readonly Promise<Pick<Work, "state" | "mode">>[]> {
    // Only what may have been here before is read: the first delivery of a message costs no read of its own.
    const known = items.filter(
      ({ message, envelope }) => message.receiveCount > 1 || envelope.resent === true || envelope.dead !== undefined,
    );
    const states =
      known.length === 0
        ? Promise.resolve([])
        : this.#options.ledger.itemStates(known.map(({ envelope }) => ledgerItem(envelope)));
    return items.map(async (item) => {
      const position = known.indexOf(item);
      const [mode, state] = await Promise.all([
        this.#runWatch.mode(item.envelope.run),
        position < 0 ? NEVER_SEEN : states.then((found) => found[position]),
      ]);
      if (state === undefined) throw new Error("the ledger gave no state of an item that was asked for");
      return { state, mode };
    });
  }

  /** Fills the free slots, asks for more messages where some stay free, and notices the end. */
  #advance(deadline: number): void {
    while (this.#free() > 0) {
      const work = this.#waiting.shift();
      if (work === undefined) break;
      void this.#work(work, deadline);
    }
    const { now, tasksPerEnvironment } = this.#options;
    const running = this.#underWay > 0;
    if (
      this.#unclaimed() > 0 &&
      this.#unrecorded < UNRECORDED_PER_SLOT * tasksPerEnvironment &&
      this.#intake.mayPoll({ now: now(), running })
    ) {
      void this.#intake
        .poll(
          () => this.#unclaimed(),
          (messages) =>
            this.#admit(messages, deadline, ({ receiptHandle }, deletable) => {
              if (deletable) this.#deleter.delete(receiptHandle);
            }),
        )
        .then(() => this.#advance(deadline));
    }
    if (this.#underWay > 0 || this.#waiting.length > 0) return;
    if (this.#intake.polling) {
      this.#settlement.flushSoon();
      return;
    }
    // Nothing else ends soon: what waits to be recorded with others need not wait any longer.
    this.#settlement.flush();
    if (this.#unrecorded === 0) this.#onIdle();
  }

  #free(): number {
    return this.#options.tasksPerEnvironment - this.#underWay;
  }

  /** Free slots that nothing at hand will take: a message received without one would lose its time waiting. */
  #unclaimed(): number {
    return this.#free() - this.#waiting.length - this.#lookedUp;
  }

  /** Runs an item's attempt in a slot, and records its outcome when the slot is free again. Never rejects. */
  async #work({ item, state, mode, settled }: Work, deadline: number): Promise<void> {
    const withoutAttempt = this.#settlement.withoutAttempt(item, state, mode);
    if (withoutAttempt !== undefined) return await this.#settle(item.message, settled, withoutAttempt, deadline);
    this.#underWay++;
    this.#settlement.flushLater();
    this.#options.metrics.peak("inFlight", this.#underWay);
    const attempted = await this.#attempt(item, state as Owed, deadline);
    this.#underWay--;
    const recorded = this.#settle(item.message, settled, attempted, deadline);
    this.#advance(deadline);
    await recorded;
  }

  /** Makes an item's attempt, and returns how its outcome is to be recorded. Never rejects. */
  async #attempt(item: ItemMessage, state: Owed, deadline: number): Promise<() => Promise<boolean>> {
    const { workflow, random } = this.#options;
    if (!isSuspect(item.message, state)) {
      const outcome = await this.#run(item, state.failures.length + 1, deadline);
      return () => this.#settlement.attempted(item, outcome, state.failures);
    }
    try {
      const suspect = await this.#suspects.attempt(item, state);
      switch (suspect.tag) {
        case "attempted":
          return () => this.#settlement.attempted(item, suspect.outcome, suspect.failures);
        case "exhausted":
          return () => this.#settlement.exhausted(item, suspect.failures);
        case "no place":
          return () => this.#settlement.putBack(item, 1_000 + random() * workflow.timeoutMilliseconds);
      }
    } catch (error) {
      return () => Promise.reject(error);
    }
  }

  /** Settles a message by `record`, which says whether it is to be deleted. Never rejects. */
  async #settle(
    message: ReceivedMessage,
    settled: Settled,
    record: () => Promise<boolean>,
    deadline: number,
  ): Promise<void> {
    this.#unrecorded++;
    try {
      await this.#shortened;
      settled(message, await record());
    } catch (error) {
      this.#options.logger.error("a message could not be settled, it will come again", {
        messageId: message.id,
        error,
      });
      settled(message, false);
    } finally {
      this.#unrecorded--;
      this.#advance(deadline);
    }
  }

  async #run({ envelope }: ItemMessage, attempt: number, deadline: number): Promise<AttemptOutcome> {
    const { workflow, taskLogger, now } = this.#options;
    const { run, page, index } = envelope;
    return await runAttempt({
      task: workflow.task,
      schema: workflow.item,
      item: envelope.item,
      context: {
        attempt,
        run: { id: run, workflow: workflow.name },
        id: `${run}/${page}/${index}`,
        logger: taskLogger({ run, page, index, attempt }),
      },
      timeoutMilliseconds: workflow.timeoutMilliseconds,
      deadline,
      now,
    });
  }

  #parse(messages: readonly ReceivedMessage[]) {
    const items: ItemMessage[] = [];
    const foreign: { message: ReceivedMessage; error: Error }[] = [];
    for (const message of messages) {
      try {
        const envelope = parseEnvelope(message.body);
        if (envelope.workflow !== this.#options.workflow.name) {
          throw new MalformedMessageError(
            `the message is of workflow "${envelope.workflow}", this is the queue of "${this.#options.workflow.name}"`,
          );
        }
        items.push({ message, envelope });
      } catch (error) {
        foreign.push({ message, error: toError(error) });
      }
    }
    return { items, foreign };
  }
}
