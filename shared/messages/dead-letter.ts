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

/** How much of an item that does not fit into a message its dead letter shows. */
const EXCERPT_CHARACTERS = 16_384;

export interface Death {
  readonly reason: Reason;
  readonly at: string;
  readonly failures: readonly Failure[];
  /** The waits of the latest redrive generation. */
  readonly waits?: Waits | DeadLetterWaits | undefined;
}

/** The body of an item's dead letter, from the item's message. */
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
 * The body of a redriven message: the dead letter, so that the next dead letter can continue its history.
 *
 * @throws {ItemError} `INVALID_ITEM`: the new item is not JSON. `TOO_LARGE`: it does not fit into a message.
 */
export function redrivenBody(envelope: Envelope, death: Death, redrive: Redrive): string {
  const { resent: _, receives: __, dead, ...rest } = envelope;
  const edited = "item" in redrive;
  if (edited) envelopeBody({ ...rest, partition: 0, resent: false }, rest.index, toItemJson(redrive.item));
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
 * The new item, with a name for the change. If a redrive dies and is repeated, the name is the same. A redrive with another
 * item gives another name. An edit that does not change the item is not a change.
 */
function editOf(before: unknown, { item, redrives }: Redrive): Pick<Envelope, "item" | "edited"> {
  const { json } = toItemJson(item);
  if (json === toExactText(before)?.json) return { item };
  const hash = createHash("sha256").update(json).digest("hex").slice(0, 8);
  return { item, edited: `${redrives}-${hash}` };
}

/** The body of the dead letter of an item that cannot be a message. It has the start of the item's text. */
export function truncatedDeadLetterBody(
  address: ItemAddress & { readonly workflow: string },
  itemText: string,
  death: Death,
): string {
  return fitIntoMessage({
    sluice: 1,
    workflow: address.workflow,
    ...addressFields(address),
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
 * The body of a fresh message that replaces the present message of an item.
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
 * The dead letter as a body. If it is too large for SQS, its history is cut: first the oldest stacks. An error message is cut
 * only if it is long, full of characters that JSON escapes, and beside an item that leaves no room.
 */
function fitIntoMessage(deadLetter: DeadLetterEnvelope): string {
  const { dead } = deadLetter;
  const failures = [...dead.failures];
  const write = writerOf(deadLetter);
  const withHistory = (history: readonly Failure[]) => write({ ...dead, failures: [...history] });
  // Each failure is measured once. The item may be a mebibyte, so the body is not written again for each cut.
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

/** Writes an envelope as a body with any `dead` part. It writes the item once, because an item may be a mebibyte. */
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
