import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startSqsServer } from "../../local/sqs/http-server.ts";
import { PARALLEL_SENDS } from "../../shared/aws/queue.ts";
import { ACCESS_KEY_ID, localClient } from "../harness/local-aws.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly items: number;
}
interface Target extends Input {
  readonly endpoint: string;
  readonly queueUrl: string;
}
interface Sent {
  readonly seconds: number;
  readonly memoryMb: number;
}

const BATCH = 10;

// The program serves in two places: as the side, which starts the server, and as its child, which sends.
if (process.env.SLUICE_BENCH_SENDER !== undefined) process.send?.(await send(JSON.parse(process.argv[2] ?? "")));
else await side(measure);

async function measure({ items }: Input, directory: string) {
  const sqs = await startSqsServer({ file: join(directory, "queues.db"), accessKeyId: ACCESS_KEY_ID });
  sqs.store.createQueue("bare", {});
  const target: Target = { items, endpoint: sqs.endpoint, queueUrl: sqs.queueUrl("bare") };
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(target)], {
    execArgv: ["--no-warnings"],
    env: { ...process.env, SLUICE_BENCH_SENDER: "1" },
  });
  const [{ seconds, memoryMb }] = (await once(child, "message")) as [Sent];
  child.disconnect();
  await sqs.close();
  return { messagesPerSecond: items / seconds, memoryMb };
}

/** A bare loop of `SendMessageBatch`, as many under way as the producer has: no source, no ledger, no retries. */
async function send({ items, endpoint, queueUrl: QueueUrl }: Target): Promise<Sent> {
  const requestHandler = { httpAgent: { maxSockets: PARALLEL_SENDS } };
  const client = new SQSClient({ ...localClient(endpoint), requestHandler });
  await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  const run = crypto.randomUUID();
  let next = 0;
  const sendBatches = async () => {
    while (next < items) {
      const first = next;
      next += BATCH;
      const Entries = Array.from({ length: Math.min(BATCH, items - first) }, (_, index) => ({
        Id: String(index),
        // As long as the producer's.
        MessageBody: JSON.stringify({ sluice: 1, workflow: "bare", run, page: first, index, epoch: 1, item: first }),
      }));
      await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: PARALLEL_SENDS }, sendBatches));
  const seconds = (performance.now() - startedAt) / 1_000;
  return { seconds, memoryMb: process.resourceUsage().maxRSS / 1_024 };
}
