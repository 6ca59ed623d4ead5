/** Consumers of Powertools' batch processor, as its documentation writes them, with a task that does nothing. */

import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";

const logger = new Logger({ serviceName: "bench" });

const plain = middy<SQSEvent, SQSBatchResponse>().handler((event, context) => {
  const work = async ({ body }: SQSRecord) => void JSON.parse(body);
  return processPartialResponse(event, work, new BatchProcessor(EventType.SQS), { context });
});

// What our consumer does too: a child logger and metrics for each invocation, a child logger for each task.
const observed = middy<SQSEvent, SQSBatchResponse>().handler(async (event, context) => {
  const metrics = new Metrics({ namespace: "Bench", serviceName: "bench", singleMetric: false });
  const invocationLogger = logger.createChild({ persistentKeys: { requestId: context.awsRequestId } });
  const work = async ({ messageId, body }: SQSRecord) => {
    invocationLogger.createChild({ persistentKeys: { messageId } });
    const startedAt = performance.now();
    JSON.parse(body);
    metrics.addMetric("Duration", MetricUnit.Milliseconds, performance.now() - startedAt);
    metrics.addMetric("Succeeded", MetricUnit.Count, 1);
  };
  const response = await processPartialResponse(event, work, new BatchProcessor(EventType.SQS), { context });
  metrics.publishStoredMetrics();
  return response;
});

export const handler = process.env.SLUICE_BENCH_OBSERVED === undefined ? plain : observed;
