/**
 * The thread in which DynamoDB runs. `startDynamoDbThread` starts it. The thread sends DynamoDB's endpoint to its
 * parent, and closes DynamoDB at the first message from its parent.
 */

import { parentPort, workerData } from "node:worker_threads";
import { type LocalDynamoDbOptions, startDynamoDb } from "./dynalite-server.ts";

const server = await startDynamoDb(workerData as LocalDynamoDbOptions);
parentPort?.once("message", () => server.close());
parentPort?.postMessage(server.endpoint);
