import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { ItemError } from "../errors.ts";
import { type Reason, toFailure } from "../failure.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { toJson } from "../messages/body.ts";
import { truncatedLetterBody } from "../messages/dead-letter.ts";
import { envelopeBody, type PageHeader } from "../messages/envelope.ts";
import { publish } from "../observation.ts";
import type { Queue } from "../queue.ts";
import { UnreadableItem } from "../sources/unreadable-item.ts";

/** An item as JSON, or why it is none and what it looks like. */
type Serialised = { readonly json: string } | Unsendable;
interface Unsendable {
  readonly error: ItemError;
  readonly text: string;
}

export interface SenderOptions {
  readonly workflow: string;
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly now: () => number;
}

/** Writes a page into the ledger, and sends its messages. */
export class PageSender {
  readonly #options: SenderOptions;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /**
   * Sends a page, or what is not settled of one that was sent before. Every item is a message or a dead letter.
   *
   * @returns how many are dead letters, or `undefined` where the run was stopped before the page, and nothing was sent.
   */
  async send(run: string, page: number, items: readonly unknown[]): Promise<{ deadLettered: number } | undefined> {
    const { workflow, ledger, queue } = this.#options;
    const serialised = items.map(serialise);
    const opened = await ledger.openPage(run, page, { size: items.length, digest: digestOf(serialised) });
    if (opened === undefined) return undefined;
    const { epoch, resent, isSettled } = opened;
    const header: PageHeader = { workflow, run, page, epoch, resent };
    const messages: { body: string }[] = [];
    const unsendable: { index: number; item: Unsendable }[] = [];
    for (const [index, item] of serialised.entries()) {
      if (isSettled(index)) continue;
      const body = "json" in item ? toMessage(header, index, item.json) : item;
      if (typeof body === "string") messages.push({ body });
      else unsendable.push({ index, item: body });
    }
    await queue.sendAll(messages);
    for (const { index, item } of unsendable) await this.#bury(header, index, item);
    return { deadLettered: unsendable.length };
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
    const body = truncatedLetterBody({ run, page, index, epoch, workflow }, text, {
      reason,
      at,
      failures: [withoutStack],
    });
    await deadLetterQueue.sendAll([{ body }]);
    await ledger.recordDeath(item, reason, 0);
    publish({ event: "died", reason });
  }
}

function toMessage(header: PageHeader, index: number, json: string): string | Unsendable {
  try {
    return envelopeBody(header, index, json);
  } catch (error) {
    if (error instanceof ItemError) return { error, text: json };
    throw error;
  }
}

function serialise(item: unknown): Serialised {
  if (item instanceof UnreadableItem) {
    return { error: new ItemError("INVALID_ITEM", `${item.at}: ${item.error}`), text: item.raw };
  }
  try {
    return { json: toJson(item) };
  } catch (error) {
    if (error instanceof ItemError) return { error, text: inspect(item, { depth: 4, maxStringLength: 1_000 }) };
    throw error;
  }
}

/** Tells whether a page that is sent again is the same. */
function digestOf(items: readonly Serialised[]): string {
  const hash = createHash("sha256");
  for (const item of items) hash.update("json" in item ? `${item.json}\n` : `! ${item.text}\n`);
  return hash.digest("base64url");
}
