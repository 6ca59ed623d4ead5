import { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { PARALLEL_SENDS } from "../shared/aws/queue.ts";
import { fromVariables } from "../shared/definition/function-environment.ts";
import { Ledger } from "../shared/ledger/ledger.ts";
import { handleControlBatch } from "../shared/producer/control-batch.ts";
import { Producer } from "../shared/producer/producer.ts";
import { functionMetrics, InvocationMetrics } from "./cloudwatch-metrics.ts";
import { completionEvents } from "./completion-event.ts";
import { functionServices } from "./function-services.ts";
import { warmUpProducer } from "./producer-warm-up.ts";
import { steadyClock } from "./steady-clock.ts";
import { taskLogger } from "./task-logger.ts";

/**
 * The time that is kept free at the end of an invocation. During this time, the producer can write a checkpoint, send
 * the next continuation or record a failure.
 */
const CLOSING_MILLISECONDS = 20_000;

const environment = fromVariables(process.env);
const services = await functionServices(environment, {
  sockets: PARALLEL_SENDS,
  usesControlQueue: true,
  ledgerOf: (...options) => new Ledger(...options),
});
await warmUpProducer(services.workflow);
const publishEvent =
  environment.eventBus === undefined ? undefined : completionEvents(environment.eventBus, environment.stack);
const logger = new Logger({ serviceName: services.workflow.name });
const embeddedMetrics = functionMetrics(services.workflow.name, "producer", environment.stack);

/**
 * Fires at SIGTERM, which says that the process is about to end. A source that is being read gets the signal at once.
 *
 * The embedded engine sends SIGTERM after Ctrl-C. Lambda sends it only when it shuts an environment down, and only to a
 * function with an extension; never because somebody pauses or cancels a run.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
 */
const shutdown = new AbortController();
process.once("SIGTERM", () => shutdown.abort(new Error("the process is about to end (SIGTERM)")));

async function produce(
  event: SQSEvent,
  context: Context,
  { signal }: { signal: AbortSignal },
): Promise<SQSBatchResponse> {
  const now = steadyClock();
  const metrics = new InvocationMetrics(embeddedMetrics);
  const invocationLogger = taskLogger(logger, { requestId: context.awsRequestId });
  const producer = new Producer({
    ...services,
    now,
    maxBacklog: environment.maxBacklog,
    codeVersion: environment.codeVersion,
    publishEvent,
    logger: invocationLogger,
    metrics,
  });
  const sliceEnd = now() + environment.sliceSeconds * 1_000;
  const closing = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - CLOSING_MILLISECONDS));
  const records = event.Records.map(({ messageId: id, receiptHandle, body, attributes }) => {
    const { MessageGroupId: group, ApproximateReceiveCount, SentTimestamp } = attributes;
    const receiveCount = Number(ApproximateReceiveCount);
    return { id, receiptHandle, body, group, receiveCount, sentAt: Number(SentTimestamp) };
  });
  const staying = await handleControlBatch(records, {
    producer,
    controlQueue: services.controlQueue,
    logger: invocationLogger,
    visibilitySeconds: environment.controlVisibilitySeconds,
    sliceEnd,
    signal: AbortSignal.any([signal, closing]),
    shutdown: shutdown.signal,
  });
  metrics.count("fastPathFallbacks", services.fallbacks.take());
  metrics.publish();
  return { batchItemFailures: staying.map((itemIdentifier) => ({ itemIdentifier })) };
}

/**
 * The producer's Lambda handler. It receives control messages from SQS, and reports the messages that must stay on the
 * queue.
 */
export const handler = middy<SQSEvent, SQSBatchResponse>({ timeoutEarlyInMillis: 500 }).handler(produce);
