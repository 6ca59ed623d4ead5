import type { ServiceClients } from "../local/services.ts";
import type { RunRecord } from "../shared/ledger/run-record.ts";

/**
 * Whether messages of a run that has not ended may be gone from the queue, though their items are pending. The queue
 * deletes a message after its retention; consumers replace those of a paused run before, but cannot where no consumer works:
 * on this machine between two commands, or with a mapping that was disabled.
 *
 * Without messages, the run would wait for ever, so a doubt counts as a yes: what is sent again too often costs only requests.
 *
 * @param options `works`: whether something works on the run's queue now. Default: false.
 */
export async function mayHaveLostMessages(
  { runs, queue }: Pick<ServiceClients, "runs" | "queue">,
  run: RunRecord,
  { works = false, now = Date.now() }: { readonly works?: boolean; readonly now?: number } = {},
): Promise<boolean> {
  // Its producer sends messages at this moment, and a resend that has begun goes on by itself.
  if (works && run.status === "running") return false;
  if (run.missing || run.resend !== undefined) return true;
  if (run.status === "paused") {
    const { retentionSeconds } = await queue.policy();
    // A consumer replaces messages at half of the retention. Code that noted no time may have disabled the mapping.
    const pausedFor = run.pausedAt === undefined ? Number.POSITIVE_INFINITY : now - Date.parse(run.pausedAt);
    if (pausedFor >= (retentionSeconds * 1_000) / 2) return true;
  }
  // Messages of other runs cannot be told from those of this one.
  if ((await runs.active.list()).some(({ id }) => id !== run.id)) return false;
  // First the queue: a message is deleted after its item is settled, so there are never fewer than pending items.
  const { visible, inFlight, delayed } = await queue.depth();
  const { owed } = await runs.counts(run);
  return visible + inFlight + delayed < owed;
}
