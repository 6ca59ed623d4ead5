/**
 * The thread in which DynamoDB runs. `early-thread.ts` starts it. Its first message from its parent has its options. Then it
 * sends DynamoDB's endpoint to its parent, and closes DynamoDB at the next message.
 */

import { once } from "node:events";
import { parentPort } from "node:worker_threads";
import { type LocalDynamoDbOptions, startDynamoDb } from "./dynalite-server.ts";

if (parentPort === null) throw new Error("this module is the entry of a thread");
const [options] = (await once(parentPort, "message")) as [LocalDynamoDbOptions];
const server = await startDynamoDb(options);
parentPort.once("message", () => server.close());
parentPort.postMessage(server.endpoint);
