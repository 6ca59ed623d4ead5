import { createHash } from "node:crypto";
import { LARGEST_MESSAGE_BYTES } from "../aws/quotas.ts";
import { toExactText } from "../base/exact-json.ts";
import { cut, type Failure, lastError, type Reason } from "../base/failure.ts";
import type { Waits } from "../base/waits.ts";
import { toBody, toItemJson } from "./body.ts";
import {
  type DeadLetterEnvelope,
  type DeadLetterWaits,
  type Envelope,
  envelopeBody,
  envelopeVersion,
} from "./envelope.ts";
import { fingerprint } from "./fingerprint.ts";
import { addressFields, type ItemAddress } from "./item-address.ts";

/** How many characters of an item are in its dead letter, if the item does not fit into a message. */
const EXCERPT_CHARACTERS = 16_384;

/** How an item died. */
export interface Death {
  readonly reason: Reason;
  readonly at: string;
  readonly failures: readonly Failure[];
  /** The waits of the latest redrive generation. */
  readonly waits?: Waits | DeadLetterWaits | undefined;
}

/** Turns the envelope of an item's message into the body of the item's dead letter. */
export function deadLetterBody(envelope: Envelope, death: Death): string {
  const { resent: _, receives: __, dead: previous, ...rest } = envelope;
  const redrives = previous === undefined ? 0 : previous.redrives + 1;
  return fitIntoMessage({ ...rest, dead: { ...toDead(death), redrives } });
}

/** What a redrive changes in a dead letter. */
export interface Redrive {
  /** How often the item has been redriven, including this time. */
  readonly redrives: number;
  /** The new item. Absent if the item stays the same. */
  readonly item?: unknown;
}

/**
 * The body of a redriven message. It contains the dead letter, so that a later dead letter can continue the history.
 *
 * @throws {ItemError} `INVALID_ITEM`: the new item is not JSON. `TOO_LARGE`: it does not fit into a message.
 */
export function redrivenBody(envelope: Envelope, death: Death, redrive: Redrive): string {
  const { resent: _, receives: __, dead, ...rest } = envelope;
  const edited = "item" in redrive;
  if (edited) {
    const header = { ...rest, partition: rest.partition ?? 0, resent: false, results: rest.results === true };
    envelopeBody(header, rest.index, toItemJson(redrive.item));
  }
  return fitIntoMessage({
    ...rest,
    ...(edited && editOf(rest.item, redrive)),
    dead: {
      ...toDead(death),
      redrives: redrive.redrives - 1,
      ...(dead?.truncated === true && !edited && { truncated: true }),
    },
  });
}

/**
 * The new item, and the id of the change in `edited`. If a redrive crashes and is repeated with the same item, the id stays
 * the same. A redrive with another item gives another id. If the new item equals the old one, there is no new id.
 */
function editOf(before: unknown, { item, redrives }: Redrive): Pick<Envelope, "item" | "edited"> {
  const { json } = toItemJson(item);
  if (json === toExactText(before)?.json) return { item };
  const hash = createHash("sha256").update(json).digest("hex").slice(0, 8);
  return { item, edited: `${redrives}-${hash}` };
}

/** The body of the dead letter of an item that cannot be a message. It contains only the start of the item's text. */
export function truncatedDeadLetterBody(
  address: ItemAddress & { readonly workflow: string; readonly results?: boolean },
  itemText: string,
  death: Death,
): string {
  return fitIntoMessage({
    sluice: 1,
    workflow: address.workflow,
    ...addressFields(address),
    ...(address.results === true && { results: true }),
    item: itemText.slice(0, EXCERPT_CHARACTERS),
    dead: { ...toDead(death), redrives: address.redriveGeneration, truncated: true },
  });
}

function toDead({ reason, at, failures, waits }: Death): Omit<DeadLetterEnvelope["dead"], "redrives"> {
  const { name, message } = lastError(reason, failures, waits);
  const { throttled, retryLater, milliseconds = 0 } = waits ?? {};
  return {
    reason,
    at,
    failures: [...failures],
    fingerprint: fingerprint(name, message),
    ...(waits !== undefined && {
      waits: { milliseconds, ...(throttled && { throttled }), ...(retryLater && { retryLater }) },
    }),
  };
}

/**
 * The body of a fresh message that replaces the current message of an item.
 *
 * @param receives How often the item's messages were received until now.
 */
export function replacementBody(envelope: Envelope, receives: number): string {
  // With `resent`, the consumer asks the ledger even at the first receive of the new message.
  const replacement: Envelope = { ...envelope, resent: true, receives };
  return isDeadLetterEnvelope(replacement) ? fitIntoMessage(replacement) : writerOf(replacement)();
}

const isDeadLetterEnvelope = (envelope: Envelope): envelope is DeadLetterEnvelope => envelope.dead !== undefined;

/** JSON escapes may need six bytes for one byte of text. */
const MOST_BYTES_PER_BYTE = 6;

/**
 * The dead letter as a message body. If the body is too large for SQS, the stacks of the oldest failures are left out
 * first, then the oldest failures. The last error message is cut only if the body is still too large. This happens only if
 * the message is long and full of characters that JSON escapes, and the item leaves no room.
 */
function fitIntoMessage(deadLetter: DeadLetterEnvelope): string {
  const { dead } = deadLetter;
  const failures = [...dead.failures];
  const write = writerOf(deadLetter);
  const withHistory = (history: readonly Failure[]) => write({ ...dead, failures: [...history] });
  // The size of each failure is computed once. The item may be a mebibyte, so the body is not written again for each cut.
  const sizes = failures.map(sizeWithComma);
  let bytes = sizes.reduce((sum, size) => sum + size, Buffer.byteLength(withHistory([])));
  for (const [oldest, failure] of failures.entries()) {
    if (bytes <= LARGEST_MESSAGE_BYTES) break;
    const { stack: _, ...rest } = failure;
    failures[oldest] = rest;
    const size = sizeWithComma(rest);
    bytes -= (sizes[oldest] ?? 0) - size;
    sizes[oldest] = size;
  }
  // A hundred long messages may not fit even without stacks. The last failures are the most useful ones, so they stay.
  let dropped = 0;
  while (bytes > LARGEST_MESSAGE_BYTES && dropped < failures.length - 1) bytes -= sizes[dropped++] ?? 0;
  const last = failures.at(-1);
  if (bytes > LARGEST_MESSAGE_BYTES && last !== undefined) {
    const room = Math.floor((LARGEST_MESSAGE_BYTES - bytes + sizeWithComma(last)) / MOST_BYTES_PER_BYTE);
    failures[failures.length - 1] = {
      ...last,
      message: cut(last.message, room - sizeWithComma({ ...last, message: "" })),
    };
  }
  return withHistory(failures.slice(dropped));
}

/**
 * Returns a function that writes the envelope as a message body, with the `dead` part that it is given. The item is turned
 * into JSON only once, because an item may be a mebibyte.
 */
function writerOf({ bigints: _, item, dead, ...address }: Envelope): (history?: Envelope["dead"]) => string {
  const text = toItemJson(item ?? null);
  const bigints = text.bigints && ({ bigints: true } as const);
  const sluice = envelopeVersion({ ...address, ...bigints, dead });
  const head = JSON.stringify({ ...address, sluice, ...bigints });
  return (history) => {
    const tail = history === undefined ? "" : `,"dead":${JSON.stringify(history)}`;
    return toBody(`${head.slice(0, -1)},"item":${text.json}${tail}}`);
  };
}

const sizeWithComma = (failure: Failure): number => Buffer.byteLength(toBody(JSON.stringify(failure))) + 1;
