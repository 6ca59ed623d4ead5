import { MalformedMessageError, toError } from "../errors.ts";
import { type Failure, isPermanent, type Reason, toFailure } from "../failure.ts";
import type { ItemState, Ledger } from "../ledger/ledger.ts";
import { parseEnvelope } from "../messages/envelope.ts";
import type { Metrics } from "../metrics.ts";
import { publish } from "../observation.ts";
import type { Queue } from "../queue.ts";
import { backoffMilliseconds } from "../retry.ts";
import type { TaskLogger } from "../task.ts";
import type { Workflow } from "../workflow.ts";
import { type AttemptOutcome, runAttempt } from "./attempt.ts";
import { Burial } from "./burial.ts";
import { type ItemMessage, ledgerItem, type ReceivedMessage } from "./message.ts";
import { Recorder } from "./recorder.ts";

/** So many receives without a recorded failure are no accident any more: the item crashes its consumer. */
const UNEXPLAINED_RECEIVES = 5;

export interface ConsumerOptions {
  readonly workflow: Workflow;
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly tasksPerEnvironment: number;
  readonly logger: TaskLogger;
  readonly metrics: Metrics;
  /** The task's logger, with what it runs on in each line. */
  readonly taskLogger: (fields: Readonly<Record<string, string | number>>) => TaskLogger;
  readonly now: () => number;
  readonly random: () => number;
}

/**
 * Works through the messages of one invocation, and says which of them are not to be deleted. It never throws for a
 * task's sake: a message whose outcome could not be recorded is reported, and comes again.
 *
 * Made anew for each invocation: several may share a process.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #recorder: Recorder;
  readonly #burial: Burial;
  #underWay = 0;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#recorder = new Recorder(options.ledger);
    this.#burial = new Burial(options.ledger, options.deadLetterQueue, options.now);
  }

  /**
   * @param deadline When recording must begin, in the clock's milliseconds.
   * @returns the ids of the messages that must come again.
   */
  async consume(messages: readonly ReceivedMessage[], deadline: number): Promise<readonly string[]> {
    const again: string[] = [];
    const settle = async (message: ReceivedMessage, work: () => Promise<boolean>) => {
      try {
        if (!(await work())) again.push(message.id);
      } catch (error) {
        this.#options.logger.error("a message could not be settled, it will come again", {
          messageId: message.id,
          error,
        });
        again.push(message.id);
      }
    };
    const { items, foreign } = this.#parse(messages);
    const burials = foreign.map(({ message, error }) =>
      settle(message, async () => {
        await this.#burial.buryForeign(message, error);
        this.#options.metrics.count("deadLettered", 1);
        return true;
      }),
    );
    const states = await this.#lookUp(items);
    let next = 0;
    const slot = async () => {
      for (let position = next++; position < items.length; position = next++) {
        const item = items[position];
        const state = states[position];
        if (item !== undefined && state !== undefined) {
          await settle(item.message, () => this.#settleItem(item, state, deadline));
        }
      }
    };
    await Promise.all([...burials, ...Array.from({ length: this.#options.tasksPerEnvironment }, slot)]);
    return again;
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

  // Only what may have been here before is looked up: the first delivery of a message costs no read.
  async #lookUp(items: readonly ItemMessage[]): Promise<readonly ItemState[]> {
    const fresh: ItemState = { tag: "owed", failures: [], final: undefined };
    const known = items.filter(
      ({ message, envelope }) => message.receiveCount > 1 || envelope.resent === true || envelope.dead !== undefined,
    );
    if (known.length === 0) return items.map(() => fresh);
    const states = await this.#options.ledger.itemStates(known.map(({ envelope }) => ledgerItem(envelope)));
    const byItem = new Map(known.map((item, position) => [item, states[position]]));
    return items.map((item) => byItem.get(item) ?? fresh);
  }

  /** @returns whether the message is to be deleted. */
  async #settleItem(item: ItemMessage, state: ItemState, deadline: number): Promise<boolean> {
    const { message, envelope } = item;
    if (state.tag === "stale") {
      this.#options.logger.info("dropped a message of an earlier content of its page", { ...ledgerItem(envelope) });
      return true;
    }
    if (state.tag === "settled") {
      await this.#options.ledger.climbAgain(envelope.run, envelope.page);
      return true;
    }
    const { failures } = state;
    const decided = this.#decidedDeath(message, state);
    if (decided !== undefined) return await this.#bury(item, decided, failures);
    const outcome = await this.#run(item, failures.length + 1, deadline);
    const duration = outcome.endedAt - outcome.startedAt;
    this.#options.metrics.duration(duration);
    return outcome.tag === "succeeded"
      ? await this.#recordSuccess(item, failures.length)
      : await this.#recordFailure(item, failures, outcome);
  }

  /** The death of an item that needs no further attempt: its last one failed before, or it never reports. */
  #decidedDeath(
    message: ReceivedMessage,
    { failures, final }: Extract<ItemState, { tag: "owed" }>,
  ): Reason | undefined {
    if (final !== undefined) return final;
    if (failures.length >= this.#options.workflow.retry.attempts) return "exhausted";
    if (message.receiveCount - 1 - failures.length >= UNEXPLAINED_RECEIVES) return "unexplained";
    return undefined;
  }

  async #run({ envelope }: ItemMessage, attempt: number, deadline: number): Promise<AttemptOutcome> {
    const { workflow, taskLogger, now } = this.#options;
    const { run, page, index } = envelope;
    this.#underWay++;
    this.#options.metrics.peak("inFlight", this.#underWay);
    try {
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
    } finally {
      this.#underWay--;
    }
  }

  async #recordSuccess({ envelope }: ItemMessage, failures: number): Promise<boolean> {
    const recorded = this.#recorder.record({ ...ledgerItem(envelope), failures });
    if (this.#underWay === 0) this.#recorder.flush();
    await recorded;
    this.#options.metrics.count("succeeded", 1);
    return true;
  }

  async #recordFailure(
    item: ItemMessage,
    before: readonly Failure[],
    outcome: Extract<AttemptOutcome, { tag: "failed" }>,
  ): Promise<boolean> {
    // The last one to end may be this one: the successes that wait must not wait for it.
    if (this.#underWay === 0) this.#recorder.flush();
    const { workflow, ledger, metrics } = this.#options;
    const failure = toFailure(outcome.thrown, { ...outcome, attempt: before.length + 1 });
    if (outcome.kind === "timed out") metrics.count("timedOut", 1);
    const final = this.#finalReason(outcome, before.length + 1);
    const failures = await ledger.recordFailure(ledgerItem(item.envelope), item.message.receiveCount, failure, final);
    if (final !== undefined) return await this.#bury(item, final, failures);
    if (failures.length >= workflow.retry.attempts) return await this.#bury(item, "exhausted", failures);
    await this.#delay(item.message, retryDelay(outcome.thrown, workflow, failures.length, this.#options.random()));
    metrics.count("retried", 1);
    publish({ event: "retried" });
    return false;
  }

  #finalReason(outcome: Extract<AttemptOutcome, { tag: "failed" }>, attempts: number): Reason | undefined {
    if (outcome.kind === "invalid") return "invalid item";
    if (isPermanent(outcome.thrown)) return "permanent";
    return attempts >= this.#options.workflow.retry.attempts ? "exhausted" : undefined;
  }

  // Without it the message comes again when the queue's own visibility timeout is over: later, but not lost.
  async #delay(message: ReceivedMessage, milliseconds: number): Promise<void> {
    try {
      await this.#options.queue.changeVisibility(message.receiptHandle, milliseconds);
    } catch (error) {
      this.#options.logger.warn("a retry could not be scheduled, it follows after the visibility timeout", { error });
    }
  }

  async #bury(item: ItemMessage, reason: Reason, failures: readonly Failure[]): Promise<boolean> {
    if (await this.#burial.buryItem(item.envelope, reason, failures, failures.length)) {
      this.#options.metrics.count("deadLettered", 1);
      this.#options.logger.warn("dead letter", {
        ...ledgerItem(item.envelope),
        reason,
        failure: failures.at(-1)?.message,
      });
    }
    return true;
  }
}

function retryDelay(thrown: unknown, { retry }: Workflow, failures: number, random: number): number {
  // By code and not by class: a workflow's bundle may hold another copy of the library.
  if (thrown instanceof Error && "code" in thrown && thrown.code === "RETRY_LATER" && "afterMilliseconds" in thrown) {
    return Number(thrown.afterMilliseconds);
  }
  return backoffMilliseconds(retry, failures, random);
}
