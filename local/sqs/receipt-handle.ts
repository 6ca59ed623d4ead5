import { SqsError } from "./sqs-error.ts";

/** The content of a receipt handle: it identifies one receive of one message. */
export interface Receipt {
  readonly queueId: number;
  readonly sequence: number;
  /** A random number, different for each receive. The handle is outdated when the message is received again. */
  readonly nonce: number;
}

const pattern = /^r-([0-9a-z]{1,10})-([0-9a-z]{1,11})-([0-9a-z]{1,7})$/;

/** Encodes the handle of a receive. */
export function receiptHandle(receipt: Receipt): string {
  return `r-${receipt.queueId.toString(36)}-${receipt.sequence.toString(36)}-${receipt.nonce.toString(36)}`;
}

/**
 * Decodes a handle.
 *
 * @throws SqsError `ReceiptHandleIsInvalid`: it is no handle of this server, or it belongs to another queue.
 */
export function parseReceiptHandle(handle: string, queueId: number): Receipt {
  const [, ...parts] = pattern.exec(handle) ?? [];
  const [queue, sequence = Number.NaN, nonce = Number.NaN] = parts.map((part) => Number.parseInt(part, 36));
  if (queue !== queueId || !Number.isSafeInteger(sequence)) {
    throw new SqsError("ReceiptHandleIsInvalid", `The input receipt handle "${handle}" is not a valid receipt handle.`);
  }
  return { queueId, sequence, nonce };
}

/** A new nonce. It is never 0, because 0 means "not received". */
export function receiptNonce(): number {
  return 1 + Math.floor(Math.random() * 0x7fff_fffe);
}
