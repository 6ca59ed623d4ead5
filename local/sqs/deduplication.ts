import { hash } from "node:crypto";
import type { Queue } from "./queue-registry.ts";
import { SqsError } from "./sqs-error.ts";
import { limits } from "./sqs-limits.ts";
import type { StoreContext } from "./store-context.ts";

/** A message that was accepted earlier with the same deduplication id. */
export interface Remembered {
  readonly message_id: string;
  readonly sequence: number;
}

/**
 * The deduplication id of a message to a FIFO queue: the given one, or the digest of the body if the queue has
 * content-based deduplication.
 *
 * @throws SqsError `InvalidParameterValue`: there is neither.
 */
export function deduplicationIdFor(queue: Queue, given: string | undefined, body: string): string {
  if (given !== undefined) return given;
  if (queue.settings.contentBasedDeduplication) return hash("sha256", body);
  throw new SqsError(
    "InvalidParameterValue",
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
  );
}

function keyOf(queue: Queue, group: string, deduplicationId: string): string {
  return queue.settings.deduplicationPerGroup ? `${group} ${deduplicationId}` : deduplicationId;
}

/** Finds the message that had this deduplication id within the last five minutes, even if it was deleted since. */
export function recall(
  { database, clock }: StoreContext,
  queue: Queue,
  group: string,
  deduplicationId: string,
): Remembered | undefined {
  return database.get<Remembered>(
    "SELECT message_id, sequence FROM deduplication WHERE queue = ? AND key = ? AND expires_at > ?",
    queue.id,
    keyOf(queue, group, deduplicationId),
    clock(),
  );
}

/** Remembers a message for five minutes. Forgets older messages. */
export function remember(
  { database, clock }: StoreContext,
  queue: Queue,
  group: string,
  deduplicationId: string,
  message: Remembered,
): void {
  const now = clock();
  database.run("DELETE FROM deduplication WHERE expires_at <= ?", now);
  database.run(
    "INSERT OR REPLACE INTO deduplication (queue, key, message_id, sequence, expires_at) VALUES (?, ?, ?, ?, ?)",
    queue.id,
    keyOf(queue, group, deduplicationId),
    message.message_id,
    message.sequence,
    now + limits.deduplicationSeconds * 1_000,
  );
}
