import { randomBytes } from "node:crypto";
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
import { LimitWatch } from "../shared/consumer/slots/limit-watch.ts";
import { LimitedSlots } from "../shared/consumer/slots/limited-slots.ts";
import { MOST_POLLS } from "../shared/consumer/slots/refill-policy.ts";
import { type FunctionEnvironment, fromVariables } from "../shared/definition/function-environment.ts";
import { recordingSeconds, STARTING_SECONDS } from "../shared/definition/topology.ts";
import { itemLedger } from "../shared/ledger/item-ledger.ts";
import { functionMetrics, InvocationMetrics } from "./cloudwatch-metrics.ts";
import { warmUpConsumer } from "./consumer-warm-up.ts";
import { forwardClock } from "./forward-clock.ts";
import { functionServices } from "./function-services.ts";
import { steadyClock } from "./steady-clock.ts";
import { taskLogger } from "./task-logger.ts";

/** The longest time that the start of an environment waits for the limit row. */
const LIMIT_MILLISECONDS = 500;

/** If the fleet's limit leaves this environment no slot, a message is hidden after this part of the time for which it may wait. */
const PATIENCE = 0.8;

const logger = new Logger({ serviceName: workflow.name });

/**
 * Creates the objects that all invocations of this environment share. One of them is the run watch, so an invocation
 * knows what earlier invocations have learned about runs.
 */
async function start() {
  const environment = fromVariables(process.env);
  const services = await functionServices(environment, {
    sockets: MOST_POLLS,
    usesControlQueue: false,
    ledgerOf: itemLedger,
  });
  ignoreProcessMessages();
  const strayLogger = taskLogger(logger);
  containStrayErrors((error) => strayLogger.error("an uncaught error that belongs to no running attempt", { error }));
  const embeddedMetrics = functionMetrics(workflow.name, "consumer", environment.stack);
  // Lambda may freeze the environment between two invocations. `Date.now` is the only clock that continues during that
  // time.
  const now = Date.now;
  const codeWatch = new CodeWatch(services.runs, environment.codeVersion);
  const runWatch = new RunWatch(services.runs, now, codeWatch.note);
  // A lease that was given before the clock was set back would otherwise hold until the clock has caught up.
  const limitClock = forwardClock();
  const limitWatch = new LimitWatch({
    row: services.limitRow,
    member: randomBytes(6).toString("base64url"),
    concurrency: environment.concurrency,
    tasksPerEnvironment: environment.tasksPerEnvironment,
    adaptive: workflow.adaptive.search,
    latency: workflow.adaptive.latency,
    ...(workflow.rateLimit !== undefined && { set: workflow.rateLimit }),
    now: limitClock,
    random: services.random,
    logger: strayLogger,
  });
  await Promise.all([warmUpConsumer(workflow, services, environment), limitWatch.prepare(LIMIT_MILLISECONDS)]);
  return { environment, services, embeddedMetrics, runWatch, codeWatch, limitWatch, limitClock };
}

async function consume(
  {
    environment,
    services,
    embeddedMetrics,
    runWatch,
    codeWatch,
    limitWatch,
    limitClock,
  }: Awaited<ReturnType<typeof start>>,
  event: SQSEvent,
  context: Context,
): Promise<SQSBatchResponse> {
  const now = steadyClock();
  const metrics = new InvocationMetrics(embeddedMetrics);
  const { awsRequestId: requestId } = context;
  const refillOptions = refill(environment, now());
  const consumer = new Consumer({
    ...services,
    runWatch,
    codeWatch,
    now,
    concurrency: environment.concurrency,
    tasksPerEnvironment: environment.tasksPerEnvironment,
    slots: new LimitedSlots({
      watch: limitWatch,
      tasksPerEnvironment: environment.tasksPerEnvironment,
      patienceMilliseconds: PATIENCE * (refillOptions?.waitingMilliseconds ?? STARTING_SECONDS * 1_000),
      ...(refillOptions !== undefined && { until: limitClock() + environment.refillSeconds * 1_000 }),
      queue: services.queue,
      // The same clock as the watch's.
      now: limitClock,
      random: services.random,
    }),
    refill: refillOptions,
    isolatedModule: fileURLToPath(import.meta.url),
    memoryMb: Number(context.memoryLimitInMB),
    logger: taskLogger(logger, { requestId }),
    metrics,
    taskLogger: (fields) => taskLogger(logger, { requestId, ...fields }),
  });
  const deadline = now() + context.getRemainingTimeInMillis() - recordingSeconds(workflow) * 1_000;
  const failedIds = await consumer.consume(event.Records.map(toMessage), deadline);
  await codeWatch.settled();
  const { slots, perSecond } = limitWatch.inForce;
  if (slots !== undefined) metrics.peak("fleetSlots", slots);
  if (perSecond !== undefined) metrics.peak("fleetStarts", perSecond);
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
