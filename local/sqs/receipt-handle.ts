import { SqsError } from "./sqs-error.ts";

/** What a receipt handle says: which receive of which message it is for. */
export interface Receipt {
  readonly queueId: number;
  readonly sequence: number;
  /** A random number, other at each receive: a handle is outdated once the message has been received again. */
  readonly nonce: number;
}

const pattern = /^r-([0-9a-z]{1,10})-([0-9a-z]{1,11})-([0-9a-z]{1,7})$/;

/** The opaque handle of one receive. */
export function receiptHandle(receipt: Receipt): string {
  return `r-${receipt.queueId.toString(36)}-${receipt.sequence.toString(36)}-${receipt.nonce.toString(36)}`;
}

/**
 * Reads a handle back.
 *
 * @throws SqsError `ReceiptHandleIsInvalid` when it is not one of ours, or is another queue's.
 */
export function parseReceiptHandle(handle: string, queueId: number): Receipt {
  const [, queue = "", sequence = "", nonce = ""] = pattern.exec(handle) ?? [];
  const receipt = {
    queueId: Number.parseInt(queue, 36),
    sequence: Number.parseInt(sequence, 36),
    nonce: Number.parseInt(nonce, 36),
  };
  if (receipt.queueId !== queueId || !Number.isSafeInteger(receipt.sequence)) {
    throw new SqsError("ReceiptHandleIsInvalid", `The input receipt handle "${handle}" is not a valid receipt handle.`);
  }
  return receipt;
}

/** A fresh nonce, never 0 (which stands for "not received"). */
export function receiptNonce(): number {
  return 1 + Math.floor(Math.random() * 0x7fff_fffe);
}
