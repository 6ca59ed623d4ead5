import { refreshGroup } from "./message-groups.ts";
import type { Queue } from "./queue-registry.ts";
import { parseReceiptHandle, type Receipt } from "./receipt-handle.ts";
import { invalidParameter, type Outcome, outcomeOf, SqsError } from "./sqs-error.ts";
import { checkRange, limits } from "./sqs-limits.ts";
import type { StoreContext } from "./store-context.ts";
import type { Place, Receive } from "./unwritten-receives.ts";

/** The message of a receipt handle. */
interface Held {
  readonly sequence: number;
  /** Whether the handle belongs to the latest receive of the message. */
  readonly current: boolean;
  readonly visibleAt: number;
  readonly receivedAt: number | null;
  readonly group: string | null;
  /** The receive of the message, if it is not written. */
  readonly receive?: Receive;
}

interface HeldRow {
  readonly receipt: number;
  readonly visible_at: number;
  readonly received_at: number | null;
  readonly ordered_group: string | null;
}

function heldBy(context: StoreContext, queue: Queue, handle: string): Held | undefined {
  const { sequence, nonce } = parseReceiptHandle(handle, queue.id);
  const receive = queue.receives.get(sequence);
  if (receive !== undefined) {
    const { visibleAt, receivedAt } = receive;
    return { sequence, current: receive.nonce === nonce, visibleAt, receivedAt, group: null, receive };
  }
  const row = context.database.get<HeldRow>(
    "SELECT receipt, visible_at, received_at, ordered_group FROM messages WHERE sequence = ? AND queue = ?",
    sequence,
    queue.id,
  );
  if (row === undefined) return undefined;
  const { visible_at: visibleAt, received_at: receivedAt, ordered_group: group } = row;
  return { sequence, current: row.receipt === nonce, visibleAt, receivedAt, group };
}

/**
 * Deletes the messages of receipt handles. A message that was deleted before is no error. On a standard queue, a handle
 * still deletes after its visibility timeout, until the message is received again. After that, the handle has no effect,
 * as SQS documents. On a FIFO queue, a handle is invalid after its visibility timeout.
 *
 * @returns the outcome for each handle. Errors are `ReceiptHandleIsInvalid`, and on a FIFO queue `InvalidParameterValue`
 *   for an expired handle.
 */
export function deleteMessages(context: StoreContext, queue: Queue, handles: readonly string[]): Outcome<void>[] {
  const unwritten: number[] = [];
  const outcomes = handles.map((handle) =>
    outcomeOf(() => {
      if (queue.fifo) return deleteOrdered(context, queue, handle);
      const receipt = parseReceiptHandle(handle, queue.id);
      const receive = queue.receives.get(receipt.sequence);
      if (receive === undefined) deleteWritten(context, queue, receipt);
      else if (receive.nonce === receipt.nonce) unwritten.push(receipt.sequence);
    }),
  );
  deleteUnwritten(context, queue, unwritten);
  context.changed(queue);
  return outcomes;
}

function deleteWritten({ database }: StoreContext, queue: Queue, { sequence, nonce }: Receipt): void {
  queue.total -= database.run(
    "DELETE FROM messages WHERE sequence = ? AND queue = ? AND receipt = ?",
    sequence,
    queue.id,
    nonce,
  );
}

function deleteUnwritten({ database }: StoreContext, queue: Queue, sequences: readonly number[]): void {
  if (sequences.length === 0) return;
  queue.receives.forget(sequences);
  queue.total -= database.run(
    "DELETE FROM messages WHERE sequence IN (SELECT value FROM json_each(?))",
    JSON.stringify(sequences),
  );
}

function deleteOrdered(context: StoreContext, queue: Queue, handle: string): void {
  const held = heldBy(context, queue, handle);
  if (held === undefined) return;
  if (!held.current || held.visibleAt <= context.clock()) {
    throw invalidParameter("ReceiptHandle", handle, "The receipt handle has expired.");
  }
  context.database.transaction(() => {
    context.database.run("DELETE FROM messages WHERE sequence = ?", held.sequence);
    queue.total -= 1;
    refreshGroup(context.database, queue.id, held.group);
  });
}

/**
 * Hides a message for a number of seconds from now. 0 makes it visible at once, at its earlier place.
 *
 * On a standard queue, SQS also accepts the handle of a receive that is over. Then the change hides a message that is
 * visible, or changes the time of a message that another receiver holds. The API reference promises the error
 * `MessageNotInflight` here. AWS does not return it: the tests of LocalStack and of moto, which were checked against AWS,
 * record a success.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
 *
 * @throws SqsError `MessageNotInflight`: the queue is a FIFO queue, and the receive of this handle is over.
 *   `ReceiptHandleIsInvalid`. `InvalidParameterValue`: the message was deleted, or would be hidden for more than 12 hours
 *   since its latest receive.
 */
export function changeVisibility(context: StoreContext, queue: Queue, handle: string, seconds: number): void {
  checkRange("VisibilityTimeout", seconds, 0, limits.visibilityTimeoutSeconds);
  const held = heldBy(context, queue, handle);
  const now = context.clock();
  if (held === undefined) {
    throw invalidParameter(
      "ReceiptHandle",
      handle,
      "Message does not exist or is not available for visibility timeout change.",
    );
  }
  if (queue.fifo && (!held.current || held.visibleAt <= now)) {
    throw new SqsError("MessageNotInflight", "The message referred to isn't in flight.");
  }
  const visibleAt = now + seconds * 1_000;
  // The message was visible, so it is in flight again.
  if (seconds > 0 && held.visibleAt <= now) queue.inFlightBound += 1;
  if (visibleAt > (held.receivedAt ?? now) + limits.visibilityTimeoutSeconds * 1_000) {
    throw invalidParameter(
      "VisibilityTimeout",
      seconds,
      `Total VisibilityTimeout for the message is beyond the limit [${limits.visibilityTimeoutSeconds} seconds].`,
    );
  }
  if (held.receive === undefined) hideWritten(context, queue, held, visibleAt, seconds);
  else hideUnwritten(queue, held.receive, visibleAt, seconds);
  context.changed(queue);
}

function hideWritten({ database }: StoreContext, queue: Queue, held: Held, until: number, seconds: number): void {
  const { sequence, group } = held;
  // A group of a FIFO queue goes behind the groups that could be received before it.
  const place = seconds === 0 && !queue.fifo ? "coalesce(first_visible_at, ?)" : "?";
  database.transaction(() => {
    const row = database.one<Place>(
      `UPDATE messages SET visible_at = ${place}, hold = 2,
         visibility_changed_to = ? WHERE sequence = ? RETURNING visible_at, sequence`,
      until,
      seconds,
      sequence,
    );
    queue.receives.rowAt(row);
    refreshGroup(database, queue.id, group);
  });
}

/** A changed visibility must outlive the process, so the receive is written. */
function hideUnwritten({ receives }: Queue, receive: Receive, until: number, seconds: number): void {
  const visibleAt = seconds === 0 ? receive.firstStoodAt : until;
  receives.writeDown({ ...receive, hold: 2, visibleAt, visibilityChangedTo: seconds });
}

/**
 * Undoes a receive whose answer never reached the client. The message is visible at once, and the receive does not count.
 * Does nothing if the message was deleted or received again since.
 */
export function undoReceive(context: StoreContext, queue: Queue, handle: string): void {
  const held = heldBy(context, queue, handle);
  if (!held?.current) return;
  const { receive, sequence, group } = held;
  const { database } = context;
  database.transaction(() => {
    if (receive === undefined) {
      const row = database.one<Place>(
        `UPDATE messages SET visible_at = coalesce(first_visible_at, ?), hold = 0, receipt = 0, receives = receives - 1,
           received_at = NULL, first_received_at = CASE receives + receives_before WHEN 1 THEN NULL ELSE first_received_at END
           WHERE sequence = ? RETURNING visible_at, sequence`,
        context.clock(),
        sequence,
      );
      queue.receives.rowAt(row);
    } else queue.receives.takeBack(receive);
    refreshGroup(database, queue.id, group);
  });
  context.changed(queue);
}
