/** The thread of DynamoDB, started by `startDynamoDbThread`. It sends its endpoint, and closes at the first message. */

import { parentPort, workerData } from "node:worker_threads";
import { type LocalDynamoDbOptions, startDynamoDb } from "./dynalite-server.ts";

const server = await startDynamoDb(workerData as LocalDynamoDbOptions);
parentPort?.once("message", () => server.close());
parentPort?.postMessage(server.endpoint);
