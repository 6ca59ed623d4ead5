import type { Database } from "./database.ts";

/**
 * Writes the time at which messages of a group can be received next: its first message is then visible. A message in
 * flight blocks the messages behind it. It does not block a message before it that became visible again: LocalStack's
 * tests record on AWS that such a message is received.
 *
 * This function must be called after every change to a message of the group. It does nothing for `null`: messages on
 * standard queues have no such group.
 */
export function refreshGroup(database: Database, queueId: number, group: string | null): void {
  if (group === null) return;
  const head = database.get<{ sequence: number; visible_at: number }>(
    "SELECT sequence, visible_at FROM messages WHERE queue = ? AND ordered_group = ? ORDER BY sequence LIMIT 1",
    queueId,
    group,
  );
  if (head === undefined) {
    database.run("DELETE FROM ordered_groups WHERE queue = ? AND name = ?", queueId, group);
    return;
  }
  database.run(
    "INSERT OR REPLACE INTO ordered_groups (queue, name, ready_at, head) VALUES (?, ?, ?, ?)",
    queueId,
    group,
    head.visible_at,
    head.sequence,
  );
}

/** Calls `refreshGroup` once for each group of these messages. */
export function refreshGroupsOf(
  database: Database,
  queueId: number,
  messages: Iterable<{ readonly ordered_group: string | null }>,
): void {
  const groups = new Set<string | null>();
  for (const { ordered_group: group } of messages) groups.add(group);
  for (const group of groups) refreshGroup(database, queueId, group);
}
