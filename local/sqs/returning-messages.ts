import type { Queue } from "./queue-registry.ts";
import type { StoreContext } from "./store-context.ts";

/**
 * When the next hidden message of a standard queue becomes visible, without the messages that a consumer may be working
 * on. So only messages count that were sent with a delay, or that their receiver hid for a time of its choice.
 *
 * @param workingSeconds The visibility timeout that consumers set for the messages they work on.
 */
export function nextReturnAt(
  { database }: StoreContext,
  queue: Queue,
  now: number,
  workingSeconds: number,
): number | undefined {
  // Receives that are recorded in memory only are those of messages in work.
  const row = database.get<{ readonly at: number }>(
    `SELECT visible_at AS at FROM messages WHERE queue = ? AND visible_at > ?
       AND (hold = 0 OR (hold = 2 AND visibility_changed_to IS NOT ?)) ORDER BY visible_at LIMIT 1`,
    queue.id,
    now,
    workingSeconds,
  );
  return row?.at;
}
