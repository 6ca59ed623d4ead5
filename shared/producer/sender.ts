import { createHash } from "node:crypto";
import type { OutgoingMessage, Queue } from "../aws/queue.ts";
import { ItemError } from "../base/errors.ts";
import { publish } from "../base/events.ts";
import type { ExactText } from "../base/exact-json.ts";
import { type Reason, toFailure } from "../base/failure.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { ClaimedDeath } from "../ledger/pages.ts";
import { partitionOf, type RunRecord } from "../ledger/run-record.ts";
import type { InvalidFindings } from "../ledger/same-failure.ts";
import { truncatedDeadLetterBody } from "../messages/dead-letter.ts";
import { envelopeBody, type PageHeader } from "../messages/envelope.ts";
import type { ItemAddress } from "../messages/item-address.ts";
import { messageFinding } from "../messages/message-finding.ts";
import type { Serialised, Unsendable } from "./serialised.ts";

/** The options of `PageSender`. */
export interface SenderOptions {
  readonly workflow: string;
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly now: () => number;
}

/** A page that is written in the ledger, with the messages and the dead letters that are still to be sent. */
export interface WrittenPage {
  readonly header: PageHeader & { readonly results: boolean };
  readonly messages: readonly OutgoingMessage[];
  readonly unsendable: readonly { readonly index: number; readonly item: Unsendable }[];
}

/** Writes pages into the ledger, and sends their messages and the dead letters of items that cannot be sent. */
export class PageSender {
  readonly #options: SenderOptions;
  readonly #invalidFindings: InvalidFindings;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#invalidFindings = options.ledger.invalidFindings();
  }

  /**
   * Writes a page into the ledger. The write is complete before any message of the page is sent.
   *
   * @returns what to send: all items of a new page, or the pending items of a page that was written before. `undefined`
   *   if nothing of the page may be sent: the run was stopped before this page, or another producer has written this
   *   page with other content and a checkpoint after it.
   */
  async write(
    { id: run, results, ...record }: Pick<RunRecord, "id" | "results" | "partition">,
    page: number,
    items: readonly Serialised[],
  ): Promise<WrittenPage | undefined> {
    const { workflow, ledger } = this.#options;
    const address = { run, partition: partitionOf(record), page };
    const opened = await ledger.pages.open(address, { size: items.length, digest: digestOf(items) });
    if (opened === undefined) return undefined;
    const { epoch, resent, isSettled } = opened;
    const header = { workflow, ...address, epoch, resent, results: results !== undefined };
    const messages: OutgoingMessage[] = [];
    const unsendable: { index: number; item: Unsendable }[] = [];
    for (const [index, item] of items.entries()) {
      if (isSettled(index)) continue;
      const body = "json" in item ? toMessage(header, index, item) : item;
      if (typeof body === "string") messages.push({ body });
      else unsendable.push({ index, item: body });
    }
    return { header, messages, unsendable };
  }

  /** Sends a page: each item becomes a message or a dead letter. Returns the number of dead letters. */
  async send({ header, messages, unsendable }: WrittenPage): Promise<number> {
    // mutant: send-before-checkpoint
    await this.#options.queue.sendAll(messages);
    let deadLetters = 0;
    for (const { index, item } of unsendable) if (await this.#deadLetter(header, index, item)) deadLetters++;
    return deadLetters;
  }

  /**
   * Moves an item that cannot be sent to the dead-letter queue.
   *
   * For an item that has a message, a consumer claims the death in the ledger before it sends the dead letter. If the
   * consumer crashes in between, SQS delivers the message again, and the next consumer completes the death. An item
   * that cannot be sent has no message. So the producer writes the dead letter into the ledger before it claims the
   * death. If the producer crashes, the producer that sends the page again completes the death. If the run is stopped
   * first, the producer that ends its production completes the death.
   *
   * @returns false if the item needs no dead letter, because another producer has dead-lettered or cancelled it.
   */
  async #deadLetter(
    { workflow, resent: _, results, ...page }: WrittenPage["header"],
    index: number,
    unsendable: Unsendable,
  ): Promise<boolean> {
    const { ledger, now } = this.#options;
    const { error, text } = unsendable;
    const item: ItemAddress = { ...page, index, redriveGeneration: 0 };
    const reason: Reason = error.code === "TOO_LARGE" ? "too large" : "invalid item";
    const failure = toFailure(error, { attempt: 0, startedAt: now(), endedAt: now(), kind: "invalid" });
    const { stack: __, ...withoutStack } = failure;
    const at = new Date(now()).toISOString();
    const deadLetter = truncatedDeadLetterBody({ ...item, workflow, results }, text, {
      reason,
      at,
      failures: [withoutStack],
    });
    if (reason === "invalid item") await this.#invalidFindings.note(item.run, messageFinding(error.message));
    // mutant: store-dead-letter
    await ledger.attempts.recordDeadLetter(item, reason, deadLetter);
    // mutant: claim-unsendable
    if (!(await ledger.outcomes.claimDeath(item))) return false;
    await this.completeDeath({ item, reason, deadLetter });
    return true;
  }

  /** Completes a death that this producer or a crashed one has claimed. */
  async completeDeath({ item, reason, deadLetter }: ClaimedDeath): Promise<void> {
    const { ledger, deadLetterQueue } = this.#options;
    await deadLetterQueue.sendAll([{ body: deadLetter }]);
    await ledger.outcomes.recordDeath(item, reason, 0);
    publish({ event: "died", reason });
  }
}

/** The body of an item's message. An item that is too large for a message becomes unsendable. */
function toMessage(header: PageHeader, index: number, item: ExactText): string | Unsendable {
  try {
    return envelopeBody(header, index, item);
  } catch (error) {
    if (error instanceof ItemError) return { error, text: item.json };
    throw error;
  }
}

/** The digest of a page. It shows whether a page that is sent again has the same content. */
function digestOf(items: readonly Serialised[]): string {
  const hash = createHash("sha256");
  for (const item of items) hash.update("json" in item ? `${item.json}\n` : `! ${item.text}\n`);
  return hash.digest("base64url");
}
