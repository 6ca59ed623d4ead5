import { messageBytes, type Queue } from "../../aws/queue.ts";
import { LARGEST_MESSAGE_BYTES, MOST_MESSAGE_ATTRIBUTES } from "../../aws/quotas.ts";
import type { ReceivedMessage } from "../../aws/received-message.ts";
import { publish } from "../../base/events.ts";
import type { Reason } from "../../base/failure.ts";
import type { ItemLedger } from "../../ledger/item-ledger.ts";
import { toAttributeText } from "../../messages/body.ts";
import { deadLetterBody } from "../../messages/dead-letter.ts";
import type { Envelope } from "../../messages/envelope.ts";
import { addressOf } from "../../messages/item-address.ts";
import type { History } from "./outcome.ts";

const LONGEST_REASON = 1_000;

export interface DeadLetteringOptions {
  readonly ledger: ItemLedger;
  readonly deadLetterQueue: Queue;
  readonly now: () => number;
}

export type DeadLetteringResult =
  | { readonly tag: "dead-lettered" }
  /** No dead letter was sent: the item has been settled before, or it belongs to an earlier epoch of its page. */
  | { readonly tag: "not needed" };

/** Moves messages to the dead-letter queue. */
export class DeadLettering {
  readonly #options: DeadLetteringOptions;

  constructor(options: DeadLetteringOptions) {
    this.#options = options;
  }

  /**
   * Moves an item to the dead-letter queue in three steps: it claims the death in the ledger, sends the dead letter,
   * and records the death. If the consumer dies between two steps, the next consumer that receives the message begins
   * again. So the dead letter may be sent twice, but it is never missing.
   */
  async moveItem(
    envelope: Envelope,
    reason: Reason,
    { failures, waits }: History,
    retries: number,
  ): Promise<DeadLetteringResult> {
    const { ledger, deadLetterQueue, now } = this.#options;
    const item = addressOf(envelope);
    // mutant: claim-death
    if (!(await ledger.outcomes.claimDeath(item))) return { tag: "not needed" };
    const history = [...(envelope.dead?.failures ?? []), ...failures];
    const at = new Date(now()).toISOString();
    await deadLetterQueue.sendAll([{ body: deadLetterBody(envelope, { reason, at, failures: history, waits }) }]);
    await ledger.outcomes.recordDeath(item, reason, retries);
    publish({ event: "died", reason });
    return { tag: "dead-lettered" };
  }

  /** Moves a message that is not one of this workflow. Its body is unchanged, and an attribute says the reason. */
  async moveForeign(message: ReceivedMessage, error: Error): Promise<void> {
    // The error may quote the body, and with it control characters or half a surrogate pair, which SQS refuses.
    const text = toAttributeText(`malformed message: ${error.message}`.slice(0, LONGEST_REASON));
    const reason = { DataType: "String", StringValue: text };
    const explained = { body: message.body, attributes: { ...message.attributes, SluiceReason: reason } };
    const fits =
      messageBytes(explained) <= LARGEST_MESSAGE_BYTES &&
      Object.keys(explained.attributes).length <= MOST_MESSAGE_ATTRIBUTES;
    // Without room for the reason, the message is sent as it came: the message matters more than the reason.
    const sent = fits ? explained : { body: message.body, attributes: message.attributes };
    await this.#options.deadLetterQueue.sendAll([sent]);
    publish({ event: "died", reason: "malformed message" });
  }
}
