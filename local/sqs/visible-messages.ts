import type { Database } from "./database.ts";
import type { Queue } from "./queue-registry.ts";
import type { StoreContext } from "./store-context.ts";
import type { Place } from "./unwritten-receives.ts";

/** How many rows are read at once to find visible messages after those under way. Many may be under way. */
const MOST_AT_ONCE = 1_000;

/** Counts the messages that are not visible. */
export function countInvisible(
  { database }: StoreContext,
  queue: Queue,
  now: number,
): { readonly inFlight: number; readonly delayed: number } {
  const { receives } = queue;
  receives.writeDownEnded(now);
  const { n, held } = database.one<{ n: number; held: number | null }>(
    "SELECT count(*) AS n, sum(hold > 0) AS held FROM messages WHERE queue = ? AND visible_at > ?",
    queue.id,
    now,
  );
  const written = held ?? 0;
  return { inFlight: written + receives.size, delayed: n - written - receives.countStandingAfter(now) };
}

/** The first visible messages of a queue, in order. On a FIFO queue this includes messages of blocked groups. */
export function firstVisible<Row extends Place>(
  { database }: StoreContext,
  queue: Queue,
  columns: string,
  count: number,
  now: number,
): Row[] {
  queue.receives.writeDownEnded(now);
  const found = inGaps<Row>(database, queue, columns, count, now);
  let after = queue.receives.passed;
  let limit = count - found.length;
  while (found.length < count) {
    const rows = rowsAfter<Row>(database, queue, columns, after, now, limit);
    let leading: Place | undefined;
    for (const row of rows) {
      if (found.length === count) break;
      if (!queue.receives.has(row.sequence)) found.push(row);
      else if (found.length === 0) leading = row;
    }
    if (leading !== undefined) queue.receives.pass(leading);
    const last = rows.at(-1);
    if (last === undefined || rows.length < limit) break;
    after = last;
    limit = MOST_AT_ONCE;
  }
  return found;
}

function inGaps<Row extends Place>(
  database: Database,
  queue: Queue,
  columns: string,
  count: number,
  now: number,
): Row[] {
  const { receives } = queue;
  const found: Row[] = [];
  const gaps = receives.gaps();
  for (let next = 0; next < gaps.length && found.length < count; ) {
    const sequences = gaps.slice(next, next + count - found.length).map(({ sequence }) => sequence);
    next += sequences.length;
    const rows = database.all<Row>(
      // The `+` keeps SQLite from using the index of the queue.
      `SELECT ${columns} FROM messages WHERE sequence IN (SELECT value FROM json_each(?)) AND +queue = ?
         ORDER BY visible_at, sequence`,
      JSON.stringify(sequences),
      queue.id,
    );
    const there = new Set(rows.map(({ sequence }) => sequence));
    for (const sequence of sequences) if (!there.has(sequence)) receives.noGap(sequence);
    found.push(...rows.filter(({ sequence, visible_at }) => visible_at <= now && !receives.has(sequence)));
  }
  return found;
}

function rowsAfter<Row extends Place>(
  database: Database,
  queue: Queue,
  columns: string,
  { visible_at, sequence }: Place,
  now: number,
  limit: number,
): Row[] {
  if (visible_at > now) return [];
  // With one condition on both columns, SQLite would read all rows of that millisecond.
  const sameTime = database.all<Row>(
    `SELECT ${columns} FROM messages WHERE queue = ? AND visible_at = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
    queue.id,
    visible_at,
    sequence,
    limit,
  );
  if (sameTime.length === limit) return sameTime;
  const later = database.all<Row>(
    `SELECT ${columns} FROM messages WHERE queue = ? AND visible_at > ? AND visible_at <= ?
       ORDER BY visible_at, sequence LIMIT ?`,
    queue.id,
    visible_at,
    now,
    limit - sameTime.length,
  );
  return sameTime.concat(later);
}

/** Counts the messages that can be received now, up to a limit. */
export function countReceivable(context: StoreContext, queue: Queue, limit: number): number {
  const now = context.clock();
  if (!queue.fifo) return firstVisible(context, queue, "sequence, visible_at", limit, now).length;
  // A blocked group may have any number of visible messages. With ordered_groups they need not be read.
  const { n } = context.database.one<{ n: number }>(
    `SELECT count(*) AS n FROM (
       SELECT 1 FROM ordered_groups g CROSS JOIN messages m ON m.queue = g.queue AND m.ordered_group = g.name
         WHERE g.queue = ?1 AND g.ready_at <= ?2 AND m.visible_at <= ?2 LIMIT ?3)`,
    queue.id,
    now,
    limit,
  );
  return n;
}

/** When the first message after a given time (ms) becomes receivable without a request. */
export function nextReceivableAt({ database }: StoreContext, queue: Queue, after: number): number | undefined {
  const query = queue.fifo
    ? "SELECT min(ready_at) AS at FROM ordered_groups WHERE queue = ? AND ready_at > ?"
    : "SELECT min(visible_at) AS at FROM messages WHERE queue = ? AND visible_at > ?";
  const written = database.one<{ at: number | null }>(query, queue.id, after).at ?? undefined;
  const unwritten = queue.receives.nextEnd();
  if (written === undefined || unwritten === undefined) return written ?? unwritten;
  return Math.min(written, unwritten);
}
