/** DynamoDB's thread: tells its endpoint, and ends at the first message. Started by `startDynamoDbThread`. */

import { parentPort, workerData } from "node:worker_threads";
import { startDynamoDb } from "./dynamodb.ts";

const server = await startDynamoDb(workerData);
parentPort?.once("message", () => server.close());
parentPort?.postMessage(server.endpoint);
