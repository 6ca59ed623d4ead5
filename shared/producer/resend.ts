import type { Ledger } from "../ledger/ledger.ts";
import type { Resend, RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import type { Source } from "../sources/source.ts";
import { chunks } from "./chunks.ts";
import type { PageSender } from "./sender.ts";

export interface ResendOptions {
  readonly source: Source;
  readonly runs: Runs;
  readonly ledger: Ledger;
  readonly sender: PageSender;
  /** Whether the slice must end. */
  readonly isOver: () => boolean;
}

/**
 * How sending again has ended.
 *
 * - `done`: every pending item of the pages that the checkpoint has passed is on the queue again.
 * - `time`: the slice ended, and the next one goes on.
 * - `stopped`: the run was paused or cancelled, or the source no longer yields some of the items, so that the run failed.
 */
export type ResendEnd = "done" | "time" | "stopped";

/**
 * Reads the source again from its beginning up to the checkpoint, and sends what is pending of each page: the run's messages
 * may have left the queue, which deletes them after 10 days. A page of the same content has the same items, and a message
 * that is sent twice settles its item once.
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
          const written = await sender.write(run.id, place.pages, items);
          if (written === undefined) missing += await ledger.pending(run.id, place.pages);
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
    await runs.recordResend(run, place, place.pages > start.pages);
  }
  // Pages that the source no longer has.
  let { missing } = place;
  for (let page = place.pages; page < pages; page++) missing += await ledger.pending(run.id, page);
  if (missing === 0) {
    await runs.endResend(run.id);
    return "done";
  }
  await runs.failMissing(
    run.id,
    `the messages of ${missing} pending items are lost, and the source does not yield these items any more: it has changed ` +
      `since the run read it. Restore the source and resume the run, or end it with sluice cancel ${run.id}, which counts ` +
      "them as cancelled",
  );
  return "stopped";
}
