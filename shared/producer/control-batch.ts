import type { Queue } from "../aws/queue.ts";
import type { TaskLogger } from "../base/task.ts";
import type { Producer } from "./producer.ts";
import type { ReceivedControl } from "./received-control.ts";
import { VisibilityRenewal } from "./visibility-renewal.ts";

/** A control message as Lambda delivered it. */
export interface ControlRecord extends ReceivedControl {
  readonly receiptHandle: string;
}

/** The options of `handleControlBatch`. */
export interface ControlBatchOptions {
  readonly producer: Pick<Producer, "handle">;
  readonly controlQueue: Queue;
  readonly logger: TaskLogger;
  /** How long a message stays hidden from other producers after each renewal, in seconds. */
  readonly visibilitySeconds: number;
  /** The time after which the producer begins no new page, on the producer's clock in milliseconds. */
  readonly sliceEnd: number;
  /** Fires when the producer must stop at once, even in the middle of a page. */
  readonly signal: AbortSignal;
  /** Fires when the process is about to end: see `SliceTime`. */
  readonly shutdown?: AbortSignal | undefined;
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
    // Start the renewals first. Until then, the longer visibility timeout of the queue applies. If the producer were
    // killed during that time, no other producer could continue its run until the timeout ends.
    const starting = held.map(({ record, renewal }) => ({ record, renewal, started: renewal.start() }));
    const staying: string[] = [];
    for (const { record, renewal, started } of starting) {
      // If a message was received before, another producer may hold it now. So wait until SQS has answered the first
      // renewal. For a new message, the producer begins at once: if SQS refuses the receipt handle, `lost` fires. Two
      // producers do no harm, because all checkpoints are conditional writes.
      if (record.receiveCount > 1) await started;
      if (!(await handleOne(record, renewal, options))) staying.push(record.id);
    }
    return staying;
  } finally {
    await Promise.all(held.map(({ renewal }) => renewal.stop()));
  }
}

/** Handles one control message. Returns whether the message can be deleted. */
async function handleOne(
  record: ControlRecord,
  renewal: VisibilityRenewal,
  { producer, controlQueue, logger, sliceEnd, signal, shutdown }: ControlBatchOptions,
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
    shutdown,
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
