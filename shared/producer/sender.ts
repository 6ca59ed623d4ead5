import { createHash } from "node:crypto";
import type { OutgoingMessage, Queue } from "../aws/queue.ts";
import { ItemError } from "../base/errors.ts";
import { publish } from "../base/events.ts";
import type { ExactText } from "../base/exact-json.ts";
import { type Reason, toFailure } from "../base/failure.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { InvalidFindings } from "../ledger/same-failure.ts";
import { truncatedDeadLetterBody } from "../messages/dead-letter.ts";
import { envelopeBody, type PageHeader } from "../messages/envelope.ts";
import { messageFinding } from "../messages/message-finding.ts";
import type { Serialised, Unsendable } from "./serialised.ts";

export interface SenderOptions {
  readonly workflow: string;
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly now: () => number;
}

/** A page that is in the ledger, with what is to be sent of it. */
export interface WrittenPage {
  readonly header: PageHeader;
  readonly messages: readonly OutgoingMessage[];
  readonly unsendable: readonly { readonly index: number; readonly item: Unsendable }[];
}

/** Writes pages into the ledger, and sends their messages. */
export class PageSender {
  readonly #options: SenderOptions;
  readonly #invalidFindings: InvalidFindings;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#invalidFindings = options.ledger.invalidFindings();
  }

  /**
   * Writes a page into the ledger, which is done before any of its messages is sent.
   *
   * @returns what is to be sent: all of it, or what is not settled of one that was written before. `undefined` where the
   * run was stopped before the page, or a checkpoint has passed it with another content: nothing of it must be sent.
   */
  async write(run: string, page: number, items: readonly Serialised[]): Promise<WrittenPage | undefined> {
    const { workflow, ledger } = this.#options;
    const opened = await ledger.openPage(run, page, { size: items.length, digest: digestOf(items) });
    if (opened === undefined) return undefined;
    const { epoch, resent, isSettled } = opened;
    const header: PageHeader = { workflow, run, page, epoch, resent };
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

  /** Sends a page: every item is a message or a dead letter. Returns how many are dead letters. */
  async send({ header, messages, unsendable }: WrittenPage): Promise<number> {
    // mutant: send-before-checkpoint
    await this.#options.queue.sendAll(messages);
    for (const { index, item } of unsendable) await this.#bury(header, index, item);
    return unsendable.length;
  }

  async #bury({ run, page, epoch, workflow }: PageHeader, index: number, { error, text }: Unsendable): Promise<void> {
    const { ledger, deadLetterQueue, now } = this.#options;
    const item = { run, page, index, epoch, redrives: 0 };
    // Not claimed before, as a consumer does: no message of it exists that could succeed meanwhile, nor one whose
    // redelivery would complete the death, should the run be cancelled after this producer died.
    const reason: Reason = error.code === "TOO_LARGE" ? "too large" : "invalid item";
    const failure = toFailure(error, { attempt: 0, startedAt: now(), endedAt: now(), kind: "invalid" });
    const { stack: _, ...withoutStack } = failure;
    const at = new Date(now()).toISOString();
    const body = truncatedDeadLetterBody({ run, page, index, epoch, workflow }, text, {
      reason,
      at,
      failures: [withoutStack],
    });
    if (reason === "invalid item") await this.#invalidFindings.note(run, messageFinding(error.message));
    await deadLetterQueue.sendAll([{ body }]);
    await ledger.recordDeath(item, reason, 0);
    publish({ event: "died", reason });
  }
}

function toMessage(header: PageHeader, index: number, item: ExactText): string | Unsendable {
  try {
    return envelopeBody(header, index, item);
  } catch (error) {
    if (error instanceof ItemError) return { error, text: item.json };
    throw error;
  }
}

/** Tells whether a page that is sent again is the same. */
function digestOf(items: readonly Serialised[]): string {
  const hash = createHash("sha256");
  for (const item of items) hash.update("json" in item ? `${item.json}\n` : `! ${item.text}\n`);
  return hash.digest("base64url");
}
