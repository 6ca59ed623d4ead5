import { setTimeout } from "node:timers/promises";
import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { publish } from "../../shared/base/events.ts";

/** A consumer as its documentation writes it: a message's body is how long its task takes. */
async function work({ body }: SQSRecord): Promise<void> {
  publish({ event: "started" });
  await setTimeout(JSON.parse(body) as number);
  publish({ event: "ended", milliseconds: 0 });
}

export const handler = middy<SQSEvent, SQSBatchResponse>().handler((event, context) =>
  // A processor for each invocation: one that is shared mixes up those that overlap.
  processPartialResponse(event, work, new BatchProcessor(EventType.SQS), { context }),
);
