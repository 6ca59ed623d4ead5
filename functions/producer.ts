import { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { fromVariables } from "../shared/function-environment.ts";
import { Producer } from "../shared/producer/producer.ts";
import { PARALLEL_SENDS } from "../shared/queue.ts";
import { completionEvents } from "./completion-event.ts";
import { functionMetrics, InvocationMetrics } from "./metrics.ts";
import { connect } from "./services.ts";
import { steadyClock } from "./steady-clock.ts";
import { taskLogger } from "./task-logger.ts";

/** Kept free at the end of an invocation, to checkpoint, to pass the run on or to report a failure. */
const CLOSING_MILLISECONDS = 20_000;

const environment = fromVariables(process.env);
const services = await connect(environment, { sockets: PARALLEL_SENDS });
const publishEvent = environment.eventBus === undefined ? undefined : completionEvents(environment.eventBus);
const logger = new Logger({ serviceName: services.workflow.name });
const embeddedMetrics = functionMetrics(services.workflow.name, "producer");

async function produce(
  event: SQSEvent,
  context: Context,
  { signal }: { signal: AbortSignal },
): Promise<SQSBatchResponse> {
  const now = steadyClock();
  const metrics = new InvocationMetrics(embeddedMetrics);
  const producer = new Producer({
    ...services,
    now,
    maxBacklog: environment.maxBacklog,
    publishEvent,
    logger: taskLogger(logger, { requestId: context.awsRequestId }),
    metrics,
  });
  const sliceEnd = now() + environment.sliceSeconds * 1_000;
  const closing = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - CLOSING_MILLISECONDS));
  const again: string[] = [];
  for (const { messageId, receiptHandle, body, attributes } of event.Records) {
    const { MessageGroupId: group, ApproximateReceiveCount } = attributes;
    const verdict = await producer.handle(
      { id: messageId, body, group, receiveCount: Number(ApproximateReceiveCount) },
      { sliceEnd, signal: AbortSignal.any([signal, closing]) },
    );
    if (verdict.tag === "wait") {
      // A FIFO queue has no delay per message: the one at hand is made to wait, and comes again.
      await services.controlQueue.changeVisibility(receiptHandle, verdict.milliseconds);
      again.push(messageId);
    }
  }
  metrics.publish();
  return { batchItemFailures: again.map((itemIdentifier) => ({ itemIdentifier })) };
}

/** The producer's Lambda handler. */
export const handler = middy<SQSEvent, SQSBatchResponse>({ timeoutEarlyInMillis: 500 }).handler(produce);
