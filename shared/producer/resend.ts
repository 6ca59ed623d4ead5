import type { Ledger } from "../ledger/ledger.ts";
import { productionOfPartitions } from "../ledger/partition-production.ts";
import { partitionOf, type Resend, type RunPartition, type RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import type { Source } from "../sources/source.ts";
import { chunks } from "./chunks.ts";
import type { PageSender } from "./sender.ts";

/** The options of `sendAgain`. */
export interface ResendOptions {
  readonly source: Source;
  readonly runs: Runs;
  readonly ledger: Ledger;
  readonly sender: PageSender;
  /** Whether the time of the slice is over. */
  readonly isOver: () => boolean;
}

/**
 * How `sendAgain` has ended.
 *
 * - `done`: the queue again has a message for each pending item of the pages before the checkpoint.
 * - `time`: the time of the slice is over, and the next slice continues.
 * - `stopped`: the run was paused or cancelled, or it failed because the source no longer yields some of the items.
 */
export type ResendEnd = "done" | "time" | "stopped";

/** How the pages of one partition were read again. `missing`: the number of pending items that have no message. */
type ReadEnd = { readonly tag: "time" | "stopped" } | { readonly tag: "read"; readonly missing: number };

type ReadingAgain = Parameters<typeof chunks>[2];

/**
 * Sends the pending items of a resumed run again. SQS deletes messages after the queue's retention of 10 days, so a run
 * that was paused for a longer time has lost its messages.
 *
 * Reads the source from its beginning up to the checkpoint, and sends the pending items of each page. The ledger
 * accepts a page again only if its content is unchanged. If an item then has two messages, it is still settled only
 * once.
 */
export async function sendAgain(
  run: RunRecord,
  start: Resend,
  options: ResendOptions,
  reading: ReadingAgain,
): Promise<ResendEnd> {
  const end = await readAgain(run, start, options, reading);
  return end.tag === "read" ? await endResend(run, end.missing, options) : end.tag;
}

/**
 * Does what `sendAgain` does, for a run with partitions: one partition after the other, each of them up to its own
 * checkpoint.
 *
 * @param readingOf Returns how a partition is read.
 */
export async function sendPartitionsAgain(
  run: RunRecord,
  start: Resend,
  options: ResendOptions,
  readingOf: (partition: RunRecord) => ReadingAgain,
): Promise<ResendEnd> {
  const { runs, ledger } = options;
  const { partition: first = 0 } = start;
  const row = await runs.lanes.read(run);
  let { missing } = start;
  let hasRead = false;
  const { all } = await productionOfPartitions(ledger.store, run);
  for (const { partition: number, pages } of all) {
    if (number < first) continue;
    // Each slice reads at least one partition that has pages.
    const end = hasRead ? await mustEnd(run, options) : undefined;
    if (end !== undefined) return end;
    const partition = await runs.lanes.partition(run, row, number);
    const record = await runs.progress.partition(run, partition);
    const place = number === first ? start : beginningOf(partition, missing);
    hasRead ||= place.pages < pages && !place.ended;
    const read = await readAgain(record, place, options, readingOf(record));
    if (read.tag !== "read") return read.tag;
    missing = read.missing;
  }
  return await endResend(run, missing, options);
}

/** The place at which a partition is read again. @param missing The missing items of the partitions before it. */
const beginningOf = ({ number, cursor }: RunPartition, missing: number): Resend => ({
  ...{ cursor, skip: 0, pages: 0, items: 0, ended: false, missing },
  partition: number,
});

async function readAgain(
  run: RunRecord,
  start: Resend,
  options: ResendOptions,
  reading: ReadingAgain,
): Promise<ReadEnd> {
  const { source, runs, ledger, sender } = options;
  const { pages } = run.checkpoint;
  const partition = partitionOf(run);
  let place = start;
  try {
    if (place.pages < pages && !place.ended) {
      for await (const { items, after } of chunks(source, place, reading)) {
        let { missing } = place;
        if (items.length > 0) {
          const written = await sender.write(run, place.pages, items);
          if (written === undefined)
            missing += await ledger.pages.countPending({ run: run.id, partition, page: place.pages });
          else await sender.send(written);
        }
        place = {
          ...after,
          pages: place.pages + (items.length > 0 ? 1 : 0),
          items: place.items + items.length,
          missing,
          partition,
        };
        if (place.pages >= pages || place.ended) break;
        const end = await mustEnd(run, options);
        if (end !== undefined) return { tag: end };
      }
    }
  } finally {
    await runs.resends.record(run, place, place.pages > start.pages);
  }
  // The source no longer yields the remaining pages.
  let { missing } = place;
  for (let page = place.pages; page < pages; page++)
    missing += await ledger.pages.countPending({ run: run.id, partition, page });
  return { tag: "read", missing };
}

/** Why the slice must read no further page. `undefined`: it can continue. */
async function mustEnd({ id }: RunRecord, { runs, isOver }: ResendOptions): Promise<"stopped" | "time" | undefined> {
  if ((await runs.get(id)).status !== "running") return "stopped";
  return isOver() ? "time" : undefined;
}

/** Ends a resend after the last page: the run goes on, or it fails if items are missing. */
async function endResend({ id }: RunRecord, missing: number, { runs }: ResendOptions): Promise<ResendEnd> {
  if (missing === 0) {
    await runs.resends.end(id);
    return "done";
  }
  await runs.resends.fail(
    id,
    `the messages of ${missing} pending items are lost, and the source no longer yields these items, because it has changed ` +
      `since the run read it. Restore the source and resume the run, or end the run with sluice cancel ${id}, which ` +
      "counts the items as cancelled",
  );
  return "stopped";
}
