import { setTimeout } from "node:timers/promises";
import type { ServiceClients } from "../../local/local-services.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";

/**
 * On AWS, counts are approximate until a minute or more after messages were sent. So they must be too low for this long.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
 */
const COUNTS_LAG_MILLISECONDS = 90_000;
const LOOK_MILLISECONDS = 10_000;

export interface LostMessagesOptions {
  /** Whether something works on the run's queue now. Default: false. */
  readonly works?: boolean;
  /** Whether the queue's counts are exact, as the embedded engine's are. Default: true. */
  readonly exactCounts?: boolean;
  /** Called when counts that are not exact are too low, and are looked at again for 90 s. */
  readonly onDoubt?: () => void;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
  /** Default: a timer. */
  readonly sleep?: (milliseconds: number) => Promise<void>;
}

/**
 * Whether messages of a run that has not ended may be gone from the queue, though their items are pending. The queue
 * deletes a message after its retention; consumers replace those of a paused run before, but cannot where no consumer works:
 * on this machine between two commands, or with a mapping that was disabled.
 *
 * Without messages, the run would wait for ever. A message that is sent again too often costs only requests, so a doubt that
 * stays counts as a yes.
 */
export async function mayHaveLostMessages(
  { runs, queue }: Pick<ServiceClients, "runs" | "queue">,
  run: RunRecord,
  { works = false, exactCounts = true, onDoubt, now = Date.now, sleep = setTimeout }: LostMessagesOptions = {},
): Promise<boolean> {
  // Its producer sends messages at this moment, and a resend that has begun goes on by itself.
  if (works && run.status === "running") return false;
  if (run.missing || run.resend !== undefined) return true;
  if (run.status === "paused") {
    const { retentionSeconds } = await queue.policy();
    // A consumer replaces messages at half of the retention. Code that noted no time may have disabled the mapping.
    const pausedFor = run.pausedAt === undefined ? Number.POSITIVE_INFINITY : now() - Date.parse(run.pausedAt);
    if (pausedFor >= (retentionSeconds * 1_000) / 2) return true;
  }
  // Messages of other runs cannot be told from those of this one.
  if ((await runs.active.list()).some(({ id }) => id !== run.id)) return false;
  const holdsFewer = async () => {
    // First the queue: a message is deleted after its item is settled, so there are never fewer than pending items.
    const { visible, inFlight, delayed } = await queue.depth();
    const { pending } = await runs.counts(run);
    return visible + inFlight + delayed < pending;
  };
  if (!(await holdsFewer())) return false;
  if (exactCounts) return true;
  // To read the whole source again for a count that lags could cost hours.
  onDoubt?.();
  for (const end = now() + COUNTS_LAG_MILLISECONDS; now() < end; ) {
    await sleep(LOOK_MILLISECONDS);
    if (!(await holdsFewer())) return false;
  }
  return true;
}

/** Says why a command takes so long. */
export function sayDoubt(run: string): void {
  console.error(
    `The queue seems to hold fewer messages than run ${run} has pending items. SQS's counts lag by a minute or more, so they ` +
      "are looked at again for 90 s.",
  );
}
