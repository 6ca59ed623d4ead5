import { fileURLToPath } from "node:url";
import { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import workflow from "#workflow";
import type { ReceivedMessage } from "../shared/aws/received-message.ts";
import { ignoreProcessMessages } from "../shared/base/process-messages.ts";
import { serveIsolatedAttempt } from "../shared/consumer/attempts/isolated-main.ts";
import { ISOLATED } from "../shared/consumer/attempts/isolation-protocol.ts";
import { containStrayErrors } from "../shared/consumer/attempts/stray-errors.ts";
import { CodeWatch } from "../shared/consumer/code-watch.ts";
import { Consumer } from "../shared/consumer/consumer.ts";
import { RunWatch } from "../shared/consumer/run-watch.ts";
import type { RefillOptions } from "../shared/consumer/slots/intake.ts";
import { MOST_POLLS } from "../shared/consumer/slots/refill-policy.ts";
import { type FunctionEnvironment, fromVariables } from "../shared/definition/function-environment.ts";
import { RECORDING_SECONDS } from "../shared/definition/topology.ts";
import { functionMetrics, InvocationMetrics } from "./cloudwatch-metrics.ts";
import { functionServices } from "./function-services.ts";
import { steadyClock } from "./steady-clock.ts";
import { taskLogger } from "./task-logger.ts";

const logger = new Logger({ serviceName: workflow.name });

/**
 * Creates the objects that all invocations of this environment share. One of them is the run watch, so an invocation
 * knows what earlier invocations have learned about runs.
 */
async function start() {
  const environment = fromVariables(process.env);
  const services = await functionServices(environment, { sockets: MOST_POLLS, usesControlQueue: false });
  ignoreProcessMessages();
  const strayLogger = taskLogger(logger);
  containStrayErrors((error) => strayLogger.error("an uncaught error that belongs to no running attempt", { error }));
  const embeddedMetrics = functionMetrics(workflow.name, "consumer", environment.stack);
  // Lambda may freeze the environment between two invocations. `Date.now` is the only clock that continues during that
  // time.
  const codeWatch = new CodeWatch(services.runs, environment.codeVersion);
  const runWatch = new RunWatch(services.runs, Date.now, codeWatch.note);
  return { environment, services, embeddedMetrics, runWatch, codeWatch };
}

async function consume(
  { environment, services, embeddedMetrics, runWatch, codeWatch }: Awaited<ReturnType<typeof start>>,
  event: SQSEvent,
  context: Context,
): Promise<SQSBatchResponse> {
  const now = steadyClock();
  const metrics = new InvocationMetrics(embeddedMetrics);
  const { awsRequestId: requestId } = context;
  const consumer = new Consumer({
    ...services,
    runWatch,
    codeWatch,
    now,
    concurrency: environment.concurrency,
    tasksPerEnvironment: environment.tasksPerEnvironment,
    refill: refill(environment, now()),
    isolatedModule: fileURLToPath(import.meta.url),
    memoryMb: Number(context.memoryLimitInMB),
    logger: taskLogger(logger, { requestId }),
    metrics,
    taskLogger: (fields) => taskLogger(logger, { requestId, ...fields }),
  });
  const deadline = now() + context.getRemainingTimeInMillis() - RECORDING_SECONDS * 1_000;
  const failedIds = await consumer.consume(event.Records.map(toMessage), deadline);
  metrics.count("fastPathFallbacks", services.fallbacks.take());
  metrics.publish();
  // End the process during the invocation: Lambda then resets the environment, and the next invocation gets a new
  // process. If the handler answered first, Lambda might freeze the process before it ends, and it would end in the
  // middle of the next invocation.
  // https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
  if (consumer.isRetired) process.exit(1);
  return { batchItemFailures: failedIds.map((itemIdentifier) => ({ itemIdentifier })) };
}

function refill(environment: FunctionEnvironment, now: number): RefillOptions | undefined {
  const { refillSeconds, refillWaitingSeconds, refillVisibilitySeconds: visibilityTimeoutSeconds } = environment;
  if (refillSeconds === 0) return undefined;
  return {
    until: now + refillSeconds * 1_000,
    waitingMilliseconds: refillWaitingSeconds * 1_000,
    visibilityTimeoutSeconds,
  };
}

function toMessage({ messageId, receiptHandle, body, attributes, messageAttributes }: SQSRecord): ReceivedMessage {
  return {
    id: messageId,
    receiptHandle,
    body,
    receiveCount: Number(attributes.ApproximateReceiveCount),
    sentAt: Number(attributes.SentTimestamp),
    attributes: Object.fromEntries(
      Object.entries(messageAttributes ?? {}).map(([name, { dataType, stringValue, binaryValue }]) => [
        name,
        {
          DataType: dataType,
          ...(stringValue !== undefined && { StringValue: stringValue }),
          ...(binaryValue !== undefined && { BinaryValue: Buffer.from(binaryValue, "base64") }),
        },
      ]),
    ),
  };
}

async function createHandler() {
  const started = await start();
  return middy<SQSEvent, SQSBatchResponse>({
    // The last resort if recording the outcomes takes too long: the invocation fails, and SQS delivers the whole batch
    // again. Outcomes that are recorded already stay recorded.
    timeoutEarlyInMillis: 500,
  }).handler((event, context) => consume(started, event, context));
}

// Two kinds of processes load this module: the Lambda function, and the child process of an isolated attempt (see
// `isolation-protocol.ts`), which needs no handler and no services.
const isolated = process.env[ISOLATED] !== undefined;
if (isolated) void serveIsolatedAttempt(workflow, (fields) => taskLogger(logger, fields));

/** The consumer's Lambda handler. */
export const handler = isolated ? undefined : await createHandler();
