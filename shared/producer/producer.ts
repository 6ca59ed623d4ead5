import { MalformedMessageError, toError } from "../base/errors.ts";
import { NewerVersionError } from "../base/newer-version.ts";
import { topology } from "../definition/topology.ts";
import { parseControlMessage, waitGroup } from "../messages/control.ts";
import { newerVersionDelay } from "../messages/newer-version-delay.ts";
import { compactAtEnd, handleCompaction } from "./compaction-messages.ts";
import { handleCompletion } from "./completion.ts";
import type { ProducerContext, ProducerOptions } from "./context.ts";
import { continueRun } from "./continuation.ts";
import { continueLane } from "./lane.ts";
import type { ReceivedControl } from "./received-control.ts";
import { PageSender } from "./sender.ts";
import type { SliceTime } from "./slice-time.ts";
import { handleWaitMessage } from "./source-waits.ts";
import { startRun } from "./start.ts";
import { DONE, type Verdict } from "./verdict.ts";

/**
 * Handles control messages: it starts runs, reads their source in slices, and announces their end.
 *
 * A run's production is always in one of the states below. The state is stored in the run's row and in the control
 * queue. A producer keeps nothing in memory between two messages, so any producer can continue any run.
 *
 * - `requested`: the start message is on the control queue (`start.ts`, `overlap.ts`).
 * - `paging`: a continuation is on the control queue, or a producer holds it and reads pages (`continuation.ts`,
 *   `slice.ts`). A continuation is a message with a number that grows by one each time.
 * - `full`: the queue holds `maxBacklog` messages. The continuation is hidden until the consumers have probably
 *   processed half of them (`backlog.ts`).
 * - `waiting`: the service asked the source to wait. The run has no continuation. A wait message, in a message group of
 *   its own, is hidden until the wait ends, and then sends the continuation (`source-waits.ts`).
 * - `retrying`: the latest slice failed. The continuation is hidden for the backoff (`failed-slices.ts`).
 * - `paused`: the user paused the run. It has no control message, and `sluice resume` sends one.
 * - `stopping`: the run was cancelled, or too many items failed. The continuation cancels pending items
 *   (`stopping.ts`).
 * - `ended`: nothing is left to produce. The run has no continuation, and consumers finish its items.
 *
 * Transitions:
 *
 * - `requested` → `paging`: the run's row is written. If the schedule did not start the run, the first page is sent
 *   too.
 * - `requested` → `requested`: with `overlap: "queue"`, an earlier run is still active. The start waits for 30 s.
 * - `requested` → `ended`: with `overlap: "skip"`, an earlier run is still active.
 * - `paging` → `paging`: the time of the slice is over, and the producer sends the next continuation.
 * - `paging` → `full`, `waiting`, `retrying`, `paused`, `ended`: see `SliceEnd`.
 * - `full`, `waiting`, `retrying`, `paused` → `paging`: the time is over, or the user resumes the run.
 * - `retrying` → `ended`: five slices in a row failed without a checkpoint, so the run fails.
 * - any state but `ended` → `stopping` → `ended`.
 *
 * A run with partitions is read by lanes. Its own continuation stores the list of partitions and starts the lanes
 * (`start-lanes.ts`). Each lane has continuations of its own (`lane.ts`). Each partition that a lane reads is in one of the
 * states `paging`, `full`, `waiting`, `retrying` and `ended`. The production of the run has ended when that of all its
 * partitions has ended.
 *
 * Make a new `Producer` for each invocation.
 */
export class Producer {
  readonly #context: ProducerContext;

  constructor(options: ProducerOptions) {
    this.#context = { ...options, sender: new PageSender({ ...options, workflow: options.workflow.name }) };
  }

  /**
   * Handles one control message. A malformed message goes to the control queue's dead-letter queue. A message that a
   * newer version of Sluice wrote waits for a producer of that version. A message also waits if a newer version wrote
   * the row of its run.
   */
  async handle(control: ReceivedControl, time: SliceTime): Promise<Verdict> {
    try {
      return await dispatch(control, time, this.#context);
    } catch (thrown) {
      const error = toError(thrown);
      if (error instanceof MalformedMessageError) return await deadLetter(control, error, this.#context);
      if (error instanceof NewerVersionError) return putBack(control, error, this.#context);
      throw thrown;
    }
  }
}

async function dispatch(control: ReceivedControl, time: SliceTime, context: ProducerContext): Promise<Verdict> {
  const message = parseControlMessage(control.body);
  switch (message.type) {
    case "start":
      return await startRun(message, control, time, context);
    case "continue":
      if (control.group === waitGroup(message.run)) return await handleWaitMessage(message, control, context);
      return await continueRun(message, control, time, context);
    case "lane":
      return await continueLane(message, control, time, context);
    case "complete":
      // If `onComplete` fails, the results are compacted nevertheless.
      await compactAtEnd(message.run, context);
      return await handleCompletion(message, context, time.signal);
    case "compact":
      return await handleCompaction(message, control, time, context);
  }
}

/**
 * Moves a malformed message to the control queue's dead-letter queue. If the message stayed on the queue, SQS would
 * deliver it until the receive limit, and it would block its message group.
 */
async function deadLetter(
  { body, id }: ReceivedControl,
  error: Error,
  { logger, controlDeadLetterQueue }: ProducerContext,
): Promise<Verdict> {
  logger.error("a message on the control queue is not a control message of Sluice", { error });
  const entry = { body, group: "malformed", deduplicationId: `malformed-${id}` };
  await controlDeadLetterQueue.sendControl(entry, { SluiceReason: "malformed control message" });
  return DONE;
}

function putBack(
  control: ReceivedControl,
  error: Error,
  { metrics, logger, now, random, workflow }: ProducerContext,
): Verdict {
  metrics.count("newerVersion", 1);
  logger.warn("put back a control message for a newer version of Sluice", { error });
  return { tag: "wait", milliseconds: newerVersionDelay(control, topology(workflow).controlQueue, now(), random()) };
}
