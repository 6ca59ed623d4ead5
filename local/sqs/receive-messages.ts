import { md5OfBody } from "./md5.ts";
import type { MessageAttributes } from "./message-attributes.ts";
import { refreshGroupsOf } from "./message-groups.ts";
import { type Queue, queueArn, queueNameOfArn } from "./queue-registry.ts";
import { receiptHandle, receiptNonce } from "./receipt-handle.ts";
import { sequenceNumber } from "./send-message.ts";
import { SqsError } from "./sqs-error.ts";
import { limits } from "./sqs-limits.ts";
import type { StoreContext } from "./store-context.ts";
import type { Place, Receive } from "./unwritten-receives.ts";
import { countInvisible, firstVisible } from "./visible-messages.ts";

/** The IAM id of every sender. */
const SENDER_ID = "AIDACKCEVSQ6C2EXAMPLE";

/** A message as a receiver gets it. */
export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly md5OfBody: string;
  /** All system attributes, as strings, such as `ApproximateReceiveCount` and `SentTimestamp` (ms). */
  readonly systemAttributes: Readonly<Record<string, string>>;
  readonly attributes: MessageAttributes;
}

/** Options of a receive. */
export interface ReceiveOptions {
  /** The queue's name. */
  readonly queue: string;
  /** How many messages at most. The HTTP server allows 1 to 10. A caller in this process may ask for any number. */
  readonly max: number;
  /** How long the messages stay hidden. Default: the queue's visibility timeout. */
  readonly visibilityTimeoutSeconds?: number;
}

interface MessageRow extends Place {
  readonly receives: number;
  readonly receives_before: number;
  readonly first_received_at: number | null;
  readonly first_visible_at: number | null;
  readonly receipt: number;
  readonly sent_at: number;
  readonly id: string;
  readonly group_id: string | null;
  readonly ordered_group: string | null;
  readonly deduplication_id: string | null;
  readonly trace_header: string | null;
  readonly source: string | null;
  readonly attributes: string | null;
  readonly body: string;
}

const columns = `sequence, visible_at, receives, receives_before, receipt, first_received_at, first_visible_at, sent_at, id, group_id,
  ordered_group, deduplication_id, trace_header, source, attributes, body`;

/** Messages that a receive will deliver. */
interface Taken {
  readonly rows: readonly MessageRow[];
  /** All messages up to this place in the queue's order that can be received are in `rows`. */
  readonly upTo?: Place | undefined;
}

/**
 * Receives messages that are visible now. A message that was received too often before moves to the dead-letter queue
 * instead.
 */
export function receive(context: StoreContext, queue: Queue, options: ReceiveOptions): ReceivedMessage[] {
  const now = context.clock();
  const count = Math.min(options.max, capacity(context, queue, options.max, now));
  for (;;) {
    const taken = queue.fifo ? nextOrdered(context, queue, count, now) : next(context, queue, count, now);
    const { rows } = taken;
    if (rows.length === 0) return [];
    const dead = deadLettersIn(context, queue, rows);
    if (dead === undefined) return deliver(context, queue, taken, options, now);
    context.database.transaction(() => deadLetter(context, queue, dead.target, dead.rows, now));
  }
}

/** The messages that were received too often, and the queue to which they move. `undefined` if there are none. */
function deadLettersIn({ queues }: StoreContext, queue: Queue, rows: readonly MessageRow[]) {
  const { redrive } = queue.settings;
  if (redrive === undefined) return undefined;
  const target = queues.find(queueNameOfArn(redrive.deadLetterTargetArn));
  const dead = rows.filter(({ receives }) => receives >= redrive.maxReceiveCount);
  return target !== undefined && dead.length > 0 ? { target, rows: dead } : undefined;
}

/** How many more messages the queue may have in flight. They are counted only if there could be too many. */
function capacity(context: StoreContext, queue: Queue, wanted: number, now: number): number {
  if (queue.inFlightBound + wanted > limits.inFlight) {
    queue.inFlightBound = Math.min(queue.total, countInvisible(context, queue, now).inFlight);
  }
  return Math.max(0, limits.inFlight - queue.inFlightBound);
}

/**
 * Refuses a short poll of a standard queue that already has the maximum number of messages in flight. A long poll and a
 * FIFO queue return no messages instead. See "Amazon SQS standard queue quotas".
 *
 * @throws SqsError `OverLimit`.
 */
export function checkInFlight(context: StoreContext, queue: Queue): void {
  if (!queue.fifo && capacity(context, queue, 1, context.clock()) === 0) {
    throw new SqsError("OverLimit", `The queue has ${limits.inFlight} messages in flight: delete some first.`);
  }
}

function next(context: StoreContext, queue: Queue, count: number, now: number): Taken {
  const window = context.faults.reorderWindow(queue.name) ?? context.randomWindow;
  if (window === undefined) {
    const rows = firstVisible<MessageRow>(context, queue, columns, count, now);
    return { rows, upTo: rows.at(-1) };
  }
  const places = firstVisible<Place>(context, queue, "sequence, visible_at", Math.max(count, window), now);
  return { rows: rowsAt(context, context.faults.pick(places, count)) };
}

/** Reads the messages at these places, in the order of the places. */
function rowsAt({ database }: StoreContext, places: readonly Place[]): MessageRow[] {
  return database.all<MessageRow>(
    `SELECT ${columns} FROM (SELECT key, value FROM json_each(?)) CROSS JOIN messages ON sequence = value ORDER BY key`,
    JSON.stringify(places.map(({ sequence }) => sequence)),
  );
}

/** Takes the messages of the first free group in their order, then those of the next free group. */
function nextOrdered({ database }: StoreContext, queue: Queue, count: number, now: number): Taken {
  const groups = database.all<{ name: string }>(
    "SELECT name FROM ordered_groups WHERE queue = ? AND ready_at <= ? ORDER BY ready_at, head LIMIT ?",
    queue.id,
    now,
    count,
  );
  const taken: MessageRow[] = [];
  for (const { name } of groups) {
    if (taken.length === count) break;
    const rows = database.all<MessageRow>(
      `SELECT ${columns} FROM messages WHERE queue = ? AND ordered_group = ? ORDER BY sequence LIMIT ?`,
      queue.id,
      name,
      count - taken.length,
    );
    const invisible = rows.findIndex((row) => row.visible_at > now);
    taken.push(...(invisible === -1 ? rows : rows.slice(0, invisible)));
  }
  return { rows: taken };
}

function deliver(
  context: StoreContext,
  queue: Queue,
  { rows, upTo }: Taken,
  options: ReceiveOptions,
  now: number,
): ReceivedMessage[] {
  const hidden = (options.visibilityTimeoutSeconds ?? queue.settings.visibilityTimeoutSeconds) * 1_000;
  const { database, faults } = context;
  const { receives } = queue;
  // All messages of a receive share a nonce. A handle also names its message, so handles still differ.
  const nonce = receiptNonce();
  const begun = rows.map(
    (row): Receive => ({
      sequence: row.sequence,
      nonce,
      receivedAt: now,
      visibleAt: now + hidden,
      hold: 1,
      stoodAt: row.visible_at,
      firstStoodAt: row.first_visible_at ?? row.visible_at,
      again: row.receipt !== 0,
    }),
  );
  return database.transaction(() => {
    if (upTo !== undefined) receives.pass(upTo);
    const duplicated = begun.filter(() => faults.duplicates(queue.name));
    if (!queue.fifo) receives.set(begun);
    for (const receive of queue.fifo ? begun : duplicated) {
      receives.writeDown(duplicated.includes(receive) ? { ...receive, visibleAt: now } : receive);
    }
    queue.inFlightBound += rows.length;
    refreshGroupsOf(database, queue.id, rows);
    context.changed(queue);
    return rows.map((row) => received(queue, row, nonce, now));
  });
}

/**
 * Moves messages to the dead-letter queue. They keep their receive count, which counts the receives in all queues. On FIFO
 * queues their time of sending begins anew.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
 */
function deadLetter(context: StoreContext, from: Queue, to: Queue, rows: readonly MessageRow[], now: number): void {
  for (const row of rows) {
    context.database.run(
      `UPDATE messages SET queue = ?, source = ?, visible_at = ?, sent_at = ?, hold = 0, receipt = 0,
         receives_before = receives_before + receives, receives = 0, received_at = NULL, first_visible_at = NULL
         WHERE sequence = ?`,
      to.id,
      queueArn(from.name),
      now,
      to.fifo ? now : row.sent_at,
      row.sequence,
    );
    to.sentSince = Math.min(to.sentSince, row.sent_at);
    to.receives.rowAt({ visible_at: now, sequence: row.sequence });
  }
  from.total -= rows.length;
  to.total += rows.length;
  refreshGroupsOf(context.database, from.id, rows);
  refreshGroupsOf(context.database, to.id, rows);
  context.changed(to);
}

function received(queue: Queue, row: MessageRow, nonce: number, now: number): ReceivedMessage {
  const systemAttributes: Record<string, string> = {
    ApproximateFirstReceiveTimestamp: String(row.first_received_at ?? now),
    ApproximateReceiveCount: String(row.receives_before + row.receives + 1),
    SenderId: SENDER_ID,
    SentTimestamp: String(row.sent_at),
  };
  if (row.group_id !== null) systemAttributes.MessageGroupId = row.group_id;
  if (row.deduplication_id !== null) systemAttributes.MessageDeduplicationId = row.deduplication_id;
  if (queue.fifo) systemAttributes.SequenceNumber = sequenceNumber(row.sequence);
  if (row.trace_header !== null) systemAttributes.AWSTraceHeader = row.trace_header;
  if (row.source !== null) systemAttributes.DeadLetterQueueSourceArn = row.source;
  return {
    messageId: row.id,
    receiptHandle: receiptHandle({ queueId: queue.id, sequence: row.sequence, nonce }),
    body: row.body,
    md5OfBody: md5OfBody(row.body),
    systemAttributes,
    attributes: row.attributes === null ? {} : (JSON.parse(row.attributes) as MessageAttributes),
  };
}
