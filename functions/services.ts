import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import workflow from "#workflow";
import { announceOn } from "../shared/announce.ts";
import type { FunctionEnvironment } from "../shared/function-environment.ts";
import { LEAN_CLIENT } from "../shared/lean-client.ts";
import { DynamoDbStore } from "../shared/ledger/dynamodb-store.ts";
import { Ledger } from "../shared/ledger/ledger.ts";
import { Runs } from "../shared/ledger/runs.ts";
import { PARALLEL_SENDS, Queue } from "../shared/queue.ts";
import { rehearse } from "./rehearsal.ts";

/**
 * The workflow of this bundle, and the services its functions work with. Nothing in it changes between invocations.
 *
 * @param sockets Requests to the queue that the function has under way at once.
 */
export async function connect(environment: FunctionEnvironment, { sockets }: { readonly sockets: number }) {
  // A client per purpose: each has its own sockets, and none waits for another's.
  const requestHandler = {
    httpAgent: { maxSockets: 2 * PARALLEL_SENDS },
    httpsAgent: { maxSockets: 2 * PARALLEL_SENDS },
  };
  // Its middleware is composed once a command, and not for each request: a tenth of a request's CPU time. The document
  // client cannot do so. A digest of each body would take a fifth, and TLS sees to it already that it arrives as it was.
  const sqs = new SQSClient({ ...LEAN_CLIENT, requestHandler, cacheMiddleware: true, md5: false });
  const controlSqs = new SQSClient(LEAN_CLIENT);
  const dynamoDbClient = new DynamoDBClient({ ...LEAN_CLIENT, requestHandler });
  // Nobody reads what it prepares: a copy of each request and its answer, for a logger that there is not.
  for (const { middlewareStack } of [sqs, dynamoDbClient]) middlewareStack.remove("loggerMiddleware");
  const dynamoDb = DynamoDBDocumentClient.from(dynamoDbClient, {
    marshallOptions: { removeUndefinedValues: true },
  });
  const store = new DynamoDbStore(dynamoDb, environment.table);
  const queue = new Queue(sqs, environment.queueUrl);
  const controlQueue = new Queue(controlSqs, environment.controlQueueUrl);
  const announce = announceOn(controlQueue);
  const runs = new Runs(store, Date.now, announce);
  await rehearse({ store, queue, controlQueue }, sockets);
  return {
    workflow,
    ledger: new Ledger(store, Date.now, announce),
    runs,
    queue,
    deadLetterQueue: new Queue(sqs, environment.deadLetterQueueUrl),
    controlQueue,
    controlDeadLetterQueue: new Queue(controlSqs, environment.controlDeadLetterQueueUrl),
    now: Date.now,
    random: Math.random,
  } as const;
}
