import type { Queue } from "../aws/queue.ts";
import type { TaskLogger } from "../base/task.ts";
import type { Producer, ReceivedControl } from "./producer.ts";
import { VisibilityRenewal } from "./visibility-renewal.ts";

/** A control message as the queue delivered it. */
export interface ControlRecord extends ReceivedControl {
  readonly receiptHandle: string;
}

export interface ControlBatchOptions {
  readonly producer: Pick<Producer, "handle">;
  readonly controlQueue: Queue;
  readonly logger: TaskLogger;
  /** How long a message stays hidden from other producers after each renewal. */
  readonly visibilitySeconds: number;
  /** No page is begun after it, in the producer's clock. */
  readonly sliceEnd: number;
  /** Fires when even the page under way must be given up. */
  readonly signal: AbortSignal;
}

/**
 * Works on control messages, each of which is kept from other producers meanwhile.
 *
 * @returns the ids of the messages that must stay on the queue.
 */
export async function handleControlBatch(
  records: readonly ControlRecord[],
  options: ControlBatchOptions,
): Promise<readonly string[]> {
  const { controlQueue, visibilitySeconds } = options;
  const held = records.map((record) => {
    const hide = (milliseconds: number) => controlQueue.changeVisibility(record.receiptHandle, milliseconds);
    return { record, renewal: new VisibilityRenewal({ hide, visibilityMilliseconds: visibilitySeconds * 1_000 }) };
  });
  try {
    // Before all else: a producer that is killed before leaves its message hidden for the queue's own timeout.
    const starting = held.map(({ record, renewal }) => ({ record, renewal, started: renewal.start() }));
    const staying: string[] = [];
    for (const { record, renewal, started } of starting) {
      // Only a message that was received before may have been delivered too late. A new one need not wait for the
      // answer: if SQS refuses its handle nevertheless, `lost` fires, and conditional writes keep two producers from
      // doing harm.
      if (record.receiveCount > 1) await started;
      if (!(await handleOne(record, renewal, options))) staying.push(record.id);
    }
    return staying;
  } finally {
    await Promise.all(held.map(({ renewal }) => renewal.stop()));
  }
}

/** @returns whether the message is done with. */
async function handleOne(
  record: ControlRecord,
  renewal: VisibilityRenewal,
  { producer, controlQueue, logger, sliceEnd, signal }: ControlBatchOptions,
): Promise<boolean> {
  const { id, receiptHandle } = record;
  if (renewal.lost.aborted) {
    logger.warn("a control message came too late, another producer has it", { message: id });
    return false;
  }
  const verdict = await producer.handle(record, {
    sliceEnd,
    signal: AbortSignal.any([signal, renewal.expired]),
    lost: renewal.lost,
  });
  await renewal.stop();
  if (verdict.tag === "left") {
    logger.warn("the producer lost its control message, another producer goes on", {
      message: id,
      error: renewal.lost.reason,
    });
  }
  // A FIFO queue has no delay per message: the one at hand is made to wait, and comes again.
  if (verdict.tag === "wait" && !renewal.lost.aborted)
    await controlQueue.changeVisibility(receiptHandle, verdict.milliseconds);
  return verdict.tag === "done";
}
