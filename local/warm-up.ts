import { randomUUID } from "node:crypto";
import { DeleteTableCommand } from "@aws-sdk/client-dynamodb";
import type { Topology } from "../shared/definition/topology.ts";
import { startEntry } from "../shared/messages/control.ts";
import { envelopeBody } from "../shared/messages/envelope.ts";
import { createLedgerTable } from "./dynamodb/create-table.ts";
import { connectLocally, type Services, tableName } from "./local-services.ts";
import { createQueues, queueNames } from "./workflow-queues.ts";

/** No workflow's name: those start with a letter. */
const NAME = "0-warm-up";

/** Of the first ones each is much faster than the one before. */
const ROUNDS = 4;

const ITEMS = Array.from({ length: 10 }, (_, index) => index);

/**
 * Has the services do what a run will ask of them, for runs of its own, on queues and in a table of their own: code that
 * has hardly been run takes several times as long, and those of AWS have long been.
 */
export async function warmUp(
  { sqs, dynamoDb, accessKeyId }: Services,
  topology: Topology,
  enough?: AbortSignal,
): Promise<void> {
  const names = queueNames(NAME);
  createQueues(sqs.store, names, topology);
  const clients = connectLocally(NAME, { sqs: sqs.endpoint, dynamoDb: dynamoDb.endpoint, accessKeyId });
  const table = tableName(NAME);
  await createLedgerTable(clients.dynamoDbClient, table);
  for (let round = 0; round < ROUNDS && enough?.aborted !== true; round++) await workOff(clients, randomUUID());
  await clients.dynamoDbClient.send(new DeleteTableCommand({ TableName: table }));
  for (const name of Object.values(names)) sqs.store.deleteQueue(name);
  await clients.close();
}

/** A run of one page, as the functions work it off. */
async function workOff(
  { runs, ledger, queue, controlQueue }: ReturnType<typeof connectLocally>,
  id: string,
): Promise<void> {
  const requestedAt = new Date().toISOString();
  await controlQueue.sendControl(startEntry({ workflow: NAME, run: id, requestedAt }));
  await take(controlQueue);
  const run = await runs.create({ id, workflow: NAME, requestedAt });
  await queue.depth();
  await ledger.openPage({ run: id, partition: 0, page: 0 }, { size: ITEMS.length, digest: id });
  const header = { workflow: NAME, run: id, partition: 0, page: 0, epoch: 1, resent: false };
  await queue.sendAll(ITEMS.map((item) => ({ body: envelopeBody(header, item, `${item}`) })));
  await runs.checkpoint(run, { cursor: undefined, skip: 0, pages: 1, items: ITEMS.length, ended: true });
  await take(queue);
  await runs.find(id);
  await ledger.recordSuccesses({
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
  // What a start that was killed over this has left is received, too, and may be all there is.
  if (messages.length === 0) return;
  await queue.changeVisibilities(messages.map(({ receiptHandle }) => ({ receiptHandle, milliseconds: 60_000 })));
  await queue.deleteAll(messages.map(({ receiptHandle }) => receiptHandle));
}
