import type { SQSRecord } from "aws-lambda";
import { toVariables } from "../../shared/definition/function-environment.ts";
import { envelopeBody } from "../../shared/messages/envelope.ts";
import { bundledHandler } from "../harness/bundled-handler.ts";
import { RECEIVE } from "../harness/instant-services.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly handler: "sluice" | "powertools";
  readonly observed?: boolean;
  readonly records: number;
  /** Records that an invocation gets, a batch of ten of them in its event and the others by receiving them. */
  readonly perInvocation: number;
}

const BATCH = 10;
const WARM_UP_RECORDS = 5_000;
const QUEUE_URL = "http://127.0.0.1/queue";

const context = {
  functionName: "bench",
  awsRequestId: "00000000-0000-0000-0000-000000000000",
  memoryLimitInMB: "512",
  getRemainingTimeInMillis: () => 100_000,
};

let page = 0;

// A handler in this process, its services answering at once: the CPU time that is its own.
await side<Input>(async ({ handler: name, observed, records, perInvocation }, directory) => {
  if (observed) process.env.SLUICE_BENCH_OBSERVED = "1";
  Object.assign(process.env, {
    AWS_LAMBDA_FUNCTION_NAME: "bench",
    ...toVariables({
      queueUrl: QUEUE_URL,
      deadLetterQueueUrl: QUEUE_URL,
      controlQueueUrl: QUEUE_URL,
      controlDeadLetterQueueUrl: QUEUE_URL,
      table: "bench",
      concurrency: 2 * BATCH,
      tasksPerEnvironment: BATCH,
      maxBacklog: 10_000,
      sliceSeconds: 60,
      controlVisibilitySeconds: 30,
      refillSeconds: perInvocation > BATCH ? 60 : 0,
      refillWaitingSeconds: 10,
      refillVisibilitySeconds: 60,
      fastPath: true,
    }),
  });
  const handler =
    name === "sluice"
      ? await bundledHandler("functions/consumer.ts", directory, "bench/harness/instant-services.ts")
      : await bundledHandler("bench/harness/powertools-overhead-handlers.ts", directory);
  const invoke = async () => {
    let left = perInvocation - BATCH;
    const receive = () => {
      if (left <= 0) return [];
      left -= BATCH;
      return batch().map(({ messageId, receiptHandle, body }) => ({
        MessageId: messageId,
        ReceiptHandle: receiptHandle,
        Body: body,
        Attributes: { ApproximateReceiveCount: "1" },
      }));
    };
    Object.assign(globalThis, { [RECEIVE]: receive });
    const { batchItemFailures } = await handler({ Records: batch() }, context);
    if (batchItemFailures.length > 0 || left > 0) throw new Error("records were left");
  };
  for (let done = 0; done < WARM_UP_RECORDS; done += perInvocation) await invoke();
  const before = process.cpuUsage();
  for (let done = 0; done < records; done += perInvocation) await invoke();
  const { user, system } = process.cpuUsage(before);
  return { microsecondsPerRecord: (user + system) / records };
});

/** Ten records of one page. */
function batch(): SQSRecord[] {
  const header = { workflow: "noop", run: "20261122-080000-abcd", partition: 0, page: page++, epoch: 1, resent: false };
  return Array.from({ length: BATCH }, (_, index) => ({
    messageId: `${header.page}-${index}`,
    receiptHandle: `receipt-${header.page}-${index}`,
    body: envelopeBody(header, index, String(index)),
    attributes: {
      ApproximateReceiveCount: "1",
      SentTimestamp: "0",
      SenderId: "bench",
      ApproximateFirstReceiveTimestamp: "0",
    },
    messageAttributes: {},
    md5OfBody: "",
    eventSource: "aws:sqs",
    eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:bench",
    awsRegion: "us-east-1",
  }));
}
