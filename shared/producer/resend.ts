import type { Ledger } from "../ledger/ledger.ts";
import type { Resend, RunRecord } from "../ledger/run-record.ts";
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
  { source, runs, ledger, sender, isOver }: ResendOptions,
  reading: Parameters<typeof chunks>[2],
): Promise<ResendEnd> {
  const { pages } = run.checkpoint;
  let place = start;
  try {
    if (place.pages < pages && !place.ended) {
      for await (const { items, after } of chunks(source, place, reading)) {
        let { missing } = place;
        if (items.length > 0) {
          const written = await sender.write(run, place.pages, items);
          if (written === undefined)
            missing += await ledger.pages.countPending({ run: run.id, partition: 0, page: place.pages });
          else await sender.send(written);
        }
        place = {
          ...after,
          pages: place.pages + (items.length > 0 ? 1 : 0),
          items: place.items + items.length,
          missing,
        };
        if (place.pages >= pages || place.ended) break;
        if ((await runs.find(run.id))?.status !== "running") return "stopped";
        if (isOver()) return "time";
      }
    }
  } finally {
    await runs.resends.record(run, place, place.pages > start.pages);
  }
  // The source no longer yields the remaining pages.
  let { missing } = place;
  for (let page = place.pages; page < pages; page++)
    missing += await ledger.pages.countPending({ run: run.id, partition: 0, page });
  if (missing === 0) {
    await runs.resends.end(run.id);
    return "done";
  }
  await runs.resends.fail(
    run.id,
    `the messages of ${missing} pending items are lost, and the source no longer yields these items, because it has changed ` +
      `since the run read it. Restore the source and resume the run, or end the run with sluice cancel ${run.id}, which ` +
      "counts the items as cancelled",
  );
  return "stopped";
}
