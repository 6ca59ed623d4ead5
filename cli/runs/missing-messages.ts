import { setTimeout } from "node:timers/promises";
import type { ServiceClients } from "../../local/local-services.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import { remark } from "../screens/paragraph.ts";

/**
 * On AWS, the counts of a queue are approximate for a minute or more after messages were sent. Messages count as missing
 * only if the counts stay too low for this long.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
 */
const COUNTS_LAG_MILLISECONDS = 90_000;
const CHECK_MILLISECONDS = 10_000;

export interface MissingMessagesOptions {
  /** Whether consumers are running on the queue now. Default: false. */
  readonly works?: boolean;
  /** Whether the queue's counts are exact, as the embedded engine's are. Default: true. */
  readonly exactCounts?: boolean;
  /** Called when approximate counts are too low, before they are checked again for 90 s. */
  readonly onDoubt?: () => void;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
  /** Default: a timer. */
  readonly sleep?: (milliseconds: number) => Promise<void>;
}

/**
 * Whether items of a run may be pending although the queue no longer holds their messages. The run must not have ended.
 *
 * SQS deletes a message when its retention period is over. Consumers replace the messages of a paused run in time, but
 * only while consumers are running. None is running on this machine between two commands, or on AWS while the event
 * source mapping is disabled.
 *
 * A run whose messages are missing would wait forever. A message that is sent without need costs only requests. So the
 * answer is `true` if the counts leave a doubt.
 */
export async function messagesMayBeMissing(
  { runs, queue }: Pick<ServiceClients, "runs" | "queue">,
  run: RunRecord,
  { works = false, exactCounts = true, onDoubt, now = Date.now, sleep = setTimeout }: MissingMessagesOptions = {},
): Promise<boolean> {
  // The producer is sending messages now, and a resend that has begun continues by itself.
  if (works && run.status === "running") return false;
  if (run.missing || run.resend !== undefined) return true;
  if (run.status === "paused") {
    const { retentionSeconds } = await queue.policy();
    // A consumer replaces a message at half of the retention period. An earlier version of `pause` stored no time, and may
    // have disabled the event source mapping.
    const pausedFor = run.pausedAt === undefined ? Number.POSITIVE_INFINITY : now() - Date.parse(run.pausedAt);
    if (pausedFor >= (retentionSeconds * 1_000) / 2) return true;
  }
  // The queue's counts do not say which run a message belongs to.
  if ((await runs.active.list()).some(({ id }) => id !== run.id)) return false;
  const holdsFewer = async () => {
    // The queue is read first. A message is deleted only after its item is settled, so a queue that lost no messages
    // never holds fewer messages than there are pending items.
    const { visible, inFlight, delayed } = await queue.depth();
    const { pending } = await runs.counts(run);
    return visible + inFlight + delayed < pending;
  };
  if (!(await holdsFewer())) return false;
  if (exactCounts) return true;
  // Reading the whole source again could take hours, so a count that may only lag is checked again first.
  onDoubt?.();
  for (const end = now() + COUNTS_LAG_MILLISECONDS; now() < end; ) {
    await sleep(CHECK_MILLISECONDS);
    if (!(await holdsFewer())) return false;
  }
  return true;
}

/** Tells the user why the command takes so long. */
export function sayThatCountsLag(run: string): void {
  remark(
    `The queue seems to hold fewer messages than run ${run} has pending items. SQS's counts lag by a minute or more, so ` +
      "they are checked again for 90 s.",
  );
}
