import type { StoreContext } from "./context.ts";
import { invalidParameter, SqsError } from "./errors.ts";
import { refreshGroup } from "./fifo.ts";
import { checkRange, limits } from "./limits.ts";
import type { Queue } from "./queues.ts";
import { parseReceiptHandle } from "./receipt-handle.ts";

interface HeldRow {
  readonly sequence: number;
  readonly receipt: number;
  readonly visible_at: number;
  readonly received_at: number | null;
  readonly receives: number;
  readonly ordered_group: string | null;
}

function heldBy(context: StoreContext, queue: Queue, handle: string): { row: HeldRow | undefined; current: boolean } {
  const { sequence, nonce } = parseReceiptHandle(handle, queue.id);
  const row = context.database.get<HeldRow>(
    "SELECT sequence, receipt, visible_at, received_at, receives, ordered_group FROM messages WHERE sequence = ? AND queue = ?",
    sequence,
    queue.id,
  );
  return { row, current: row?.receipt === nonce };
}

/**
 * Deletes the message of a receipt handle; one that is gone already is no error. On a standard queue a handle still
 * deletes after its visibility timeout, but no longer once the message was received again: then nothing happens, as
 * SQS documents. On a FIFO queue a handle is worth nothing after its timeout.
 *
 * @throws SqsError `ReceiptHandleIsInvalid`, or on a FIFO queue `InvalidParameterValue` for an expired handle.
 */
export function deleteMessage(context: StoreContext, queue: Queue, handle: string): void {
  if (queue.fifo) deleteOrdered(context, queue, handle);
  else {
    const { sequence, nonce } = parseReceiptHandle(handle, queue.id);
    queue.total -= context.database.run(
      "DELETE FROM messages WHERE sequence = ? AND queue = ? AND receipt = ?",
      sequence,
      queue.id,
      nonce,
    );
  }
  context.changed(queue);
}

function deleteOrdered(context: StoreContext, queue: Queue, handle: string): void {
  const { row, current } = heldBy(context, queue, handle);
  if (row === undefined) return;
  if (!current || row.visible_at <= context.clock()) {
    throw invalidParameter("ReceiptHandle", handle, "The receipt handle has expired.");
  }
  context.database.transaction(() => {
    context.database.run("DELETE FROM messages WHERE sequence = ?", row.sequence);
    queue.total -= 1;
    if (row.ordered_group !== null) refreshGroup(context.database, queue.id, row.ordered_group);
  });
}

/**
 * Hides a message in flight for so many seconds from now; 0 makes it visible, in the place where it stood before.
 *
 * @throws SqsError `MessageNotInflight` when this handle's receive is over; `ReceiptHandleIsInvalid`;
 *   `InvalidParameterValue` when the message is gone, or would be hidden for more than 12 hours since its receive.
 */
export function changeVisibility(context: StoreContext, queue: Queue, handle: string, seconds: number): void {
  checkRange("VisibilityTimeout", seconds, 0, limits.visibilityTimeoutSeconds);
  const { row, current } = heldBy(context, queue, handle);
  const now = context.clock();
  if (row === undefined) {
    throw invalidParameter(
      "ReceiptHandle",
      handle,
      "Message does not exist or is not available for visibility timeout change.",
    );
  }
  if (!current || row.visible_at <= now) {
    throw new SqsError("MessageNotInflight", "The message referred to isn't in flight.");
  }
  const visibleAt = now + seconds * 1_000;
  if (visibleAt > (row.received_at ?? now) + limits.visibilityTimeoutSeconds * 1_000) {
    throw invalidParameter(
      "VisibilityTimeout",
      seconds,
      `Total VisibilityTimeout for the message is beyond the limit [${limits.visibilityTimeoutSeconds} seconds].`,
    );
  }
  context.database.transaction(() => {
    context.database.run(
      seconds === 0
        ? "UPDATE messages SET visible_at = coalesce(first_visible_at, ?), hold = CASE hold WHEN 3 THEN 1 ELSE 2 END WHERE sequence = ?"
        : "UPDATE messages SET visible_at = ?, hold = CASE hold WHEN 3 THEN 1 ELSE 2 END WHERE sequence = ?",
      visibleAt,
      row.sequence,
    );
    if (row.ordered_group !== null) refreshGroup(context.database, queue.id, row.ordered_group);
  });
  context.changed(queue);
}

/**
 * Takes a receive back that never reached its receiver: the message is visible at once, as if it had not happened.
 * Does nothing when the message was deleted or received again since.
 */
export function undoReceive(context: StoreContext, queue: Queue, handle: string): void {
  const { row, current } = heldBy(context, queue, handle);
  if (row === undefined || !current) return;
  context.database.transaction(() => {
    context.database.run(
      `UPDATE messages SET visible_at = coalesce(first_visible_at, ?), hold = 0, receipt = 0, receives = receives - 1, received_at = NULL,
         first_received_at = CASE receives WHEN 1 THEN NULL ELSE first_received_at END WHERE sequence = ?`,
      context.clock(),
      row.sequence,
    );
    if (row.ordered_group !== null) refreshGroup(context.database, queue.id, row.ordered_group);
  });
  context.changed(queue);
}
