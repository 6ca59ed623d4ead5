import { messageBytes, type Queue } from "../../aws/queue.ts";
import { LARGEST_MESSAGE_BYTES, MOST_MESSAGE_ATTRIBUTES } from "../../aws/quotas.ts";
import type { ReceivedMessage } from "../../aws/received-message.ts";
import { publish } from "../../base/events.ts";
import type { Failure, Reason } from "../../base/failure.ts";
import type { Waits } from "../../base/waits.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import { toAttributeText } from "../../messages/body.ts";
import { deadLetterBody } from "../../messages/dead-letter.ts";
import type { Envelope } from "../../messages/envelope.ts";
import { addressOf } from "../../messages/item-address.ts";

const LONGEST_REASON = 1_000;

/** What became of an item's attempts since its latest redrive. */
export interface History {
  readonly failures: readonly Failure[];
  readonly waits?: Waits;
}

/** Moves to the dead-letter queue what no further attempt can help. */
export class Burial {
  readonly #ledger: Ledger;
  readonly #deadLetterQueue: Queue;
  readonly #now: () => number;

  constructor(ledger: Ledger, deadLetterQueue: Queue, now: () => number) {
    this.#ledger = ledger;
    this.#deadLetterQueue = deadLetterQueue;
    this.#now = now;
  }

  /**
   * Buries an item: claimed in the ledger, then its dead letter sent, then its death recorded. A consumer that dies between
   * two of these is followed by another that begins again, so the dead letter may be sent twice, and is never missing.
   *
   * @returns false where a duplicate of the message has succeeded, and nothing is to be buried.
   */
  async buryItem(envelope: Envelope, reason: Reason, { failures, waits }: History, retries: number): Promise<boolean> {
    const item = addressOf(envelope);
    // mutant: claim-death
    if (!(await this.#ledger.outcomes.claimDeath(item))) return false;
    const history = [...(envelope.dead?.failures ?? []), ...failures];
    const at = new Date(this.#now()).toISOString();
    await this.#deadLetterQueue.sendAll([{ body: deadLetterBody(envelope, { reason, at, failures: history, waits }) }]);
    await this.#ledger.outcomes.recordDeath(item, reason, retries);
    publish({ event: "died", reason });
    return true;
  }

  /** Buries a message that is not ours: its body untouched, the reason in an attribute beside its own. */
  async buryForeign(message: ReceivedMessage, error: Error): Promise<void> {
    // The error may quote the body, with half a character or a control character of its JSON strings.
    const text = toAttributeText(`malformed message: ${error.message}`.slice(0, LONGEST_REASON));
    const reason = { DataType: "String", StringValue: text };
    const explained = { body: message.body, attributes: { ...message.attributes, SluiceReason: reason } };
    const fits =
      messageBytes(explained) <= LARGEST_MESSAGE_BYTES &&
      Object.keys(explained.attributes).length <= MOST_MESSAGE_ATTRIBUTES;
    // Without room for a reason the message goes as it came: it is worth more than the reason.
    await this.#deadLetterQueue.sendAll([fits ? explained : { body: message.body, attributes: message.attributes }]);
    publish({ event: "died", reason: "malformed message" });
  }
}
