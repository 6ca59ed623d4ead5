import { once } from "node:events";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { LocalDynamoDb } from "./dynamodb.ts";

const ENTRY = new URL(`./dynamodb-worker${extname(import.meta.url)}`, import.meta.url);

/**
 * Starts DynamoDB in a thread of its own. A write to it takes several turns of its event loop, and beside the queues each
 * turn would last as long as they have requests: with many sends under way consumers would wait for the ledger most of
 * the time.
 *
 * @param path Where it keeps its tables.
 */
export async function startDynamoDbThread(path: string): Promise<LocalDynamoDb> {
  const worker = new Worker(ENTRY, { workerData: path });
  const [endpoint] = (await once(worker, "message")) as [string];
  return {
    endpoint,
    async close() {
      const exited = once(worker, "exit");
      worker.postMessage("close");
      await exited;
    },
  };
}
