import type { Queue } from "../aws/queue.ts";
import type { TaskLogger } from "../base/task.ts";
import type { Producer } from "./producer.ts";
import type { ReceivedControl } from "./received-control.ts";
import { VisibilityRenewal } from "./visibility-renewal.ts";

/** A control message as Lambda delivered it. */
export interface ControlRecord extends ReceivedControl {
  readonly receiptHandle: string;
}

/** What handling a batch needs. */
export interface ControlBatchOptions {
  readonly producer: Pick<Producer, "handle">;
  readonly controlQueue: Queue;
  readonly logger: TaskLogger;
  /** How long a message stays hidden from other producers after each renewal, in seconds. */
  readonly visibilitySeconds: number;
  /** After this time, on the producer's clock in milliseconds, no new page is begun. */
  readonly sliceEnd: number;
  /** Fires when even the page under way must be abandoned. */
  readonly signal: AbortSignal;
}

/**
 * Handles the control messages of one invocation. While a producer works, it keeps its messages hidden from other
 * producers.
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
    // Start the renewals first. Until then the queue's own, longer timeout applies, and a producer that is killed would
    // block its run for that time.
    const starting = held.map(({ record, renewal }) => ({ record, renewal, started: renewal.start() }));
    const staying: string[] = [];
    for (const { record, renewal, started } of starting) {
      // A message that was received before may belong to another producer by now, so wait for SQS's answer. A new
      // message need not wait: if SQS refuses its handle nevertheless, `lost` fires. Two producers do no harm, because
      // all checkpoints are conditional writes.
      if (record.receiveCount > 1) await started;
      if (!(await handleOne(record, renewal, options))) staying.push(record.id);
    }
    return staying;
  } finally {
    await Promise.all(held.map(({ renewal }) => renewal.stop()));
  }
}

/** @returns whether the message can be deleted. */
async function handleOne(
  record: ControlRecord,
  renewal: VisibilityRenewal,
  { producer, controlQueue, logger, sliceEnd, signal }: ControlBatchOptions,
): Promise<boolean> {
  const { id, receiptHandle } = record;
  if (renewal.lost.aborted) {
    logger.warn("a control message was delivered too late, and another producer has it", { message: id });
    return false;
  }
  const verdict = await producer.handle(record, {
    sliceEnd,
    signal: AbortSignal.any([signal, renewal.expired]),
    lost: renewal.lost,
  });
  await renewal.stop();
  if (verdict.tag === "left") {
    logger.warn("the producer lost its control message, and another producer continues", {
      message: id,
      error: renewal.lost.reason,
    });
  }
  // FIFO queues have no delay per message. To wait, the producer hides the message that it holds.
  if (verdict.tag === "wait" && !renewal.lost.aborted)
    await controlQueue.changeVisibility(receiptHandle, verdict.milliseconds);
  return verdict.tag === "done";
}
