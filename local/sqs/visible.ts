import type { StoreContext } from "./context.ts";
import type { Queue } from "./queues.ts";
import type { Place } from "./receives.ts";

/** Exact numbers of the messages that are not visible. */
export function countInvisible(
  { database }: StoreContext,
  queue: Queue,
  now: number,
): { readonly inFlight: number; readonly delayed: number } {
  const counted = database.get<{ n: number; held: number | null }>(
    "SELECT count(*) AS n, sum(hold > 0) AS held FROM messages WHERE queue = ? AND visible_at > ?",
    queue.id,
    now,
  );
  const held = counted?.held ?? 0;
  return { inFlight: held + queue.receives.countAt(now), delayed: (counted?.n ?? 0) - held };
}

/** The first messages of a standard queue that can be received, in order. */
export function firstVisible<Row extends Place>(
  { database }: StoreContext,
  queue: Queue,
  columns: string,
  count: number,
  now: number,
): Row[] {
  const { receives } = queue;
  const ended = receives.ended(now);
  if (ended.length > 0) {
    database.transaction(() => {
      for (const receive of ended) receives.writeDown(receive);
    });
  }
  const found: Row[] = [];
  let after = receives.passed;
  while (found.length < count) {
    const wanted = count - found.length;
    const rows = database.all<Row>(
      `SELECT ${columns} FROM messages WHERE queue = ? AND (visible_at, sequence) > (?, ?) AND visible_at <= ?
         ORDER BY visible_at, sequence LIMIT ?`,
      queue.id,
      after.visible_at,
      after.sequence,
      now,
      wanted,
    );
    for (const row of rows) {
      if (!receives.has(row.sequence)) found.push(row);
      else if (found.length === 0) receives.pass(row);
    }
    if (rows.length < wanted) break;
    after = rows.at(-1) ?? after;
  }
  return found;
}

/** How many messages can be received now, counted up to a limit. */
export function countReceivable(context: StoreContext, queue: Queue, limit: number): number {
  const now = context.clock();
  if (!queue.fifo) return firstVisible(context, queue, "sequence, visible_at", limit, now).length;
  // A blocked group may hold any number of visible messages: its row in ordered_groups saves walking over them.
  const counted = context.database.get<{ n: number }>(
    `SELECT count(*) AS n FROM (
       SELECT 1 FROM ordered_groups g CROSS JOIN messages m ON m.queue = g.queue AND m.ordered_group = g.name
         WHERE g.queue = ?1 AND g.ready_at <= ?2 AND m.visible_at <= ?2 LIMIT ?3)`,
    queue.id,
    now,
    limit,
  );
  return counted?.n ?? 0;
}

/** When the first message becomes receivable by itself after a moment (ms), if one does. */
export function nextReceivableAt({ database }: StoreContext, queue: Queue, after: number): number | undefined {
  const query = queue.fifo
    ? "SELECT min(ready_at) AS at FROM ordered_groups WHERE queue = ? AND ready_at > ?"
    : "SELECT min(visible_at) AS at FROM messages WHERE queue = ? AND visible_at > ?";
  const written = database.get<{ at: number | null }>(query, queue.id, after)?.at ?? undefined;
  const unwritten = queue.receives.nextEnd(after);
  if (written === undefined || unwritten === undefined) return written ?? unwritten;
  return Math.min(written, unwritten);
}
