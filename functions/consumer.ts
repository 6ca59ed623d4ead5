import { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { Consumer } from "../shared/consumer/consumer.ts";
import type { RefillOptions } from "../shared/consumer/intake.ts";
import type { ReceivedMessage } from "../shared/consumer/message.ts";
import { containStrayErrors } from "../shared/consumer/stray-errors.ts";
import { fromVariables } from "../shared/function-environment.ts";
import { RECORDING_SECONDS } from "../shared/topology.ts";
import { InvocationMetrics } from "./metrics.ts";
import { connect } from "./services.ts";
import { taskLogger } from "./task-logger.ts";

const environment = fromVariables(process.env);
const services = await connect(environment);
const logger = new Logger({ serviceName: services.workflow.name });

containStrayErrors((error) => logger.error("an error that nobody caught, of no attempt under way", { error }));

async function consume(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  const metrics = new InvocationMetrics(services.workflow.name, "consumer");
  const invocationLogger = logger.createChild({ persistentKeys: { requestId: context.awsRequestId } });
  const consumer = new Consumer({
    ...services,
    tasksPerEnvironment: environment.tasksPerEnvironment,
    refill: refill(),
    logger: taskLogger(invocationLogger),
    metrics,
    taskLogger: (fields) => taskLogger(invocationLogger, fields),
  });
  const deadline = services.now() + context.getRemainingTimeInMillis() - RECORDING_SECONDS * 1_000;
  const again = await consumer.consume(event.Records.map(toMessage), deadline);
  metrics.publish();
  return { batchItemFailures: again.map((itemIdentifier) => ({ itemIdentifier })) };
}

function refill(): RefillOptions | undefined {
  const { refillSeconds, refillVisibilitySeconds: visibilityTimeoutSeconds } = environment;
  if (refillSeconds === 0) return undefined;
  return { until: services.now() + refillSeconds * 1_000, visibilityTimeoutSeconds };
}

function toMessage({ messageId, receiptHandle, body, attributes, messageAttributes }: SQSRecord): ReceivedMessage {
  return {
    id: messageId,
    receiptHandle,
    body,
    receiveCount: Number(attributes.ApproximateReceiveCount),
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

/** The consumer's Lambda handler. */
export const handler = middy<SQSEvent, SQSBatchResponse>({
  // The last resort, when even recording hangs: the whole batch comes again, and what was recorded stands.
  timeoutEarlyInMillis: 500,
}).handler(consume);
