/** DynamoDB's thread: tells its endpoint, and ends at the first message. Started by `startDynamoDbThread`. */

import { parentPort, workerData } from "node:worker_threads";
import { type LocalDynamoDbOptions, startDynamoDb } from "./dynalite-server.ts";

const server = await startDynamoDb(workerData as LocalDynamoDbOptions);
parentPort?.once("message", () => server.close());
parentPort?.postMessage(server.endpoint);
