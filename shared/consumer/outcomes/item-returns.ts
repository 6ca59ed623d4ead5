import type { Queue } from "../../aws/queue.ts";
import { LONGEST_DELAY_SECONDS, LONGEST_HIDING_MILLISECONDS } from "../../aws/quotas.ts";
import { type QueueTopology, topology } from "../../definition/topology.ts";
import type { Workflow } from "../../definition/workflow.ts";
import type { ItemLedger } from "../../ledger/item-ledger.ts";
import { replacementBody } from "../../messages/dead-letter.ts";
import { addressOf } from "../../messages/item-address.ts";
import { type ItemMessage, receiveOf } from "../../messages/item-message.ts";
import { isSuspect } from "../attempts/receive-history.ts";
import { DELETE, type Disposition, type Outcome } from "./outcome.ts";

type Returned = Extract<Outcome, { tag: "returned" }>;

export interface ItemReturnsOptions {
  readonly workflow: Workflow;
  readonly ledger: ItemLedger;
  readonly queue: Queue;
  readonly now: () => number;
}

/** Returns an item's message to the queue for a delay, or sends a new message in its place. */
export class ItemReturns {
  readonly #options: ItemReturnsOptions;
  readonly #queueTopology: QueueTopology;

  constructor(options: ItemReturnsOptions) {
    this.#options = options;
    this.#queueTopology = topology(options.workflow).queue;
  }

  /**
   * Returns a message without an attempt. The receive is recorded in the ledger, so it does not make the item a
   * suspect.
   */
  async withoutAttempt({
    item,
    state,
    afterMilliseconds: milliseconds,
    isWithoutSlot,
  }: Omit<Returned, "tag">): Promise<Disposition> {
    const { ledger } = this.#options;
    const receive = receiveOf(item);
    // A message without a slot may return very often, so its record has the same size for any number of receives.
    if (isWithoutSlot === true || this.#mustBeReplaced(item, milliseconds)) {
      await ledger.attempts.recordReplacement(addressOf(item.envelope), receive, state, isSuspect(item, state));
    } else await ledger.attempts.recordReceive(addressOf(item.envelope), receive, "returned");
    return await this.after(item, milliseconds);
  }

  /**
   * Returns a message after a delay. If the message is near one of the queue's limits, a new message takes its place.
   */
  async after(item: ItemMessage, milliseconds: number): Promise<Disposition> {
    if (!this.#mustBeReplaced(item, milliseconds)) {
      return {
        tag: "return",
        afterMilliseconds: Math.max(0, Math.min(milliseconds, LONGEST_HIDING_MILLISECONDS)),
      };
    }
    // If the consumer dies before the deletion, two messages of the item remain. SQS may also deliver one message twice.
    const body = replacementBody(item.envelope, receiveOf(item));
    const delaySeconds = Math.max(0, Math.min(LONGEST_DELAY_SECONDS, Math.ceil(milliseconds / 1_000)));
    await this.#options.queue.sendUntraced({ body, delaySeconds, attributes: item.message.attributes });
    return DELETE;
  }

  /**
   * Whether a message is too near to one of the queue's limits: the receives after which SQS moves it to the dead-letter
   * queue, or the age at which SQS deletes it. Half of each limit remains for crashes.
   */
  #mustBeReplaced({ message }: ItemMessage, milliseconds: number): boolean {
    const { maxReceiveCount, retentionSeconds } = this.#queueTopology;
    if (message.receiveCount >= maxReceiveCount / 2) return true;
    const hiding = Math.min(milliseconds, LONGEST_HIDING_MILLISECONDS);
    const age = message.sentAt === undefined ? 0 : this.#options.now() + hiding - message.sentAt;
    return age >= (retentionSeconds * 1_000) / 2;
  }
}
