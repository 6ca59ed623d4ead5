import { randomUUID } from "node:crypto";
import { DeleteTableCommand } from "@aws-sdk/client-dynamodb";
import type { Topology } from "../shared/definition/topology.ts";
import { startEntry } from "../shared/messages/control.ts";
import { envelopeBody } from "../shared/messages/envelope.ts";
import { createLedgerTable } from "./dynamodb/create-table.ts";
import { connectLocally, type Services, tableName } from "./local-services.ts";
import { createQueues, queueNames } from "./workflow-queues.ts";

/** No workflow has this name, because the name of a workflow starts with a letter. */
const NAME = "0-warm-up";

/** Each of the first rounds is faster than the one before, because Node compiles the code. */
const ROUNDS = 4;

const ITEMS = Array.from({ length: 10 }, (_, index) => index);

/**
 * Sends the requests of a small run to the services, on queues and a table of its own. Node runs code slowly at first.
 * The services of AWS do not have this start-up cost. Measurements use it: it takes longer than what it saves a run.
 */
export async function warmUp({ sqs, dynamoDb, accessKeyId }: Services, topology: Topology): Promise<void> {
  const names = queueNames(NAME);
  createQueues(sqs.store, names, topology);
  const clients = connectLocally(NAME, { sqs: sqs.endpoint, dynamoDb: dynamoDb.endpoint, accessKeyId });
  const table = tableName(NAME);
  await createLedgerTable(clients.dynamoDbClient, table);
  for (let round = 0; round < ROUNDS; round++) await processRun(clients, randomUUID());
  await clients.dynamoDbClient.send(new DeleteTableCommand({ TableName: table }));
  for (const name of Object.values(names)) sqs.store.deleteQueue(name);
  await clients.close();
}

/** Sends the requests that the functions send for a run of one page. */
async function processRun(
  { runs, ledger, queue, controlQueue }: ReturnType<typeof connectLocally>,
  id: string,
): Promise<void> {
  const requestedAt = new Date().toISOString();
  await controlQueue.sendControl(startEntry({ workflow: NAME, run: id, requestedAt }));
  await take(controlQueue);
  const run = await runs.create({ id, workflow: NAME, requestedAt });
  await queue.depth();
  await ledger.pages.open({ run: id, partition: 0, page: 0 }, { size: ITEMS.length, digest: id });
  const header = { workflow: NAME, run: id, partition: 0, page: 0, epoch: 1, resent: false };
  await queue.sendAll(ITEMS.map((item) => ({ body: envelopeBody(header, item, `${item}`) })));
  await runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages: 1, items: ITEMS.length, ended: true });
  await take(queue);
  await runs.find(id);
  await ledger.outcomes.recordSuccesses({
    run: id,
    partition: 0,
    page: 0,
    epoch: 1,
    items: ITEMS.map((index) => ({ index, failures: 0, redriveGeneration: 0 })),
  });
  await take(controlQueue);
}

async function take(queue: ReturnType<typeof connectLocally>["queue"]): Promise<void> {
  const messages = await queue.receive({ max: ITEMS.length, waitSeconds: 0, visibilityTimeoutSeconds: 30 });
  // Messages of an earlier warm-up, whose process was killed, may come first.
  if (messages.length === 0) return;
  await queue.changeVisibilities(messages.map(({ receiptHandle }) => ({ receiptHandle, milliseconds: 60_000 })));
  await queue.deleteAll(messages.map(({ receiptHandle }) => receiptHandle));
}
