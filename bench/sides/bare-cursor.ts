import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import Cursor from "pg-cursor";
import { startSqsServer } from "../../local/sqs/http-server.ts";
import { PARALLEL_SENDS } from "../../shared/aws/queue.ts";
import { connectTo, startBenchTable } from "../harness/bench-table.ts";
import { ACCESS_KEY_ID, localClient } from "../harness/local-aws.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly items: number;
}
interface Target {
  readonly endpoint: string;
  readonly queueUrl: string;
  readonly port: number;
}
interface Sent {
  readonly sent: number;
  readonly seconds: number;
  readonly memoryMb: number;
}

const BATCH = 10;
/** How many rows a read of the cursor returns. */
const ROWS = 1_000;

// The program serves in two places: as the side, which starts the servers, and as its child, which reads and sends.
if (process.env.SLUICE_BENCH_SENDER !== undefined) process.send?.(await send(JSON.parse(process.argv[2] ?? "")));
else await side(measure);

async function measure({ items }: Input, directory: string) {
  const postgres = await startBenchTable(directory, items);
  const sqs = await startSqsServer({ file: join(directory, "queues.db"), accessKeyId: ACCESS_KEY_ID });
  sqs.store.createQueue("bare", {});
  const target: Target = { endpoint: sqs.endpoint, queueUrl: sqs.queueUrl("bare"), port: postgres.port };
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(target)], {
    execArgv: ["--no-warnings"],
    env: { ...process.env, SLUICE_BENCH_SENDER: "1" },
  });
  const [{ sent, seconds, memoryMb }] = (await once(child, "message")) as [Sent];
  child.disconnect();
  await sqs.close();
  await postgres.stop();
  if (sent !== items) throw new Error(`the cursor returned ${sent} rows instead of ${items}`);
  return { messagesPerSecond: items / seconds, memoryMb };
}

/**
 * A bare loop: a cursor in one transaction, and `SendMessageBatch` with as many requests under way as the producer has. The
 * next rows are read while the last ones are sent. It has no ledger, no checkpoint and no retries.
 */
async function send({ endpoint, queueUrl: QueueUrl, port }: Target): Promise<Sent> {
  const requestHandler = { httpAgent: { maxSockets: PARALLEL_SENDS } };
  const client = new SQSClient({ ...localClient(endpoint), requestHandler });
  await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  const database = connectTo(port);
  await database.connect();
  const run = crypto.randomUUID();
  const startedAt = performance.now();
  const cursor = database.query(new Cursor("select * from bench order by id"));
  let sent = 0;
  let ahead = cursor.read(ROWS);
  for (let page = 0; ; page++) {
    const rows = await ahead;
    if (rows.length === 0) break;
    ahead = cursor.read(ROWS);
    let next = 0;
    const sendBatches = async () => {
      while (next < rows.length) {
        const first = next;
        next += BATCH;
        const Entries = rows.slice(first, first + BATCH).map((item, index) => ({
          Id: String(index),
          // As long as the producer's.
          MessageBody: JSON.stringify({ sluice: 1, workflow: "bare", run, page, index: first + index, epoch: 1, item }),
        }));
        await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_SENDS }, sendBatches));
    sent += rows.length;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await database.end();
  return { sent, seconds, memoryMb: process.resourceUsage().maxRSS / 1_024 };
}
