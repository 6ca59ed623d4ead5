import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ListTablesCommand, waitUntilTableNotExists } from "@aws-sdk/client-dynamodb";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openServices, type Services, tableName } from "../../../local/local-services.ts";
import { StateDirectory } from "../../../local/state-directory.ts";
import { warmUp } from "../../../local/warm-up.ts";
import { topology } from "../../../shared/definition/topology.ts";

const TOPOLOGY = topology({
  concurrency: 10,
  tasksPerEnvironment: undefined,
  timeoutMilliseconds: 1_000,
  retry: { attempts: 5 },
  maxBacklog: undefined,
  memoryMb: 512,
  refill: true,
});

let directory: string;
let services: Services;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-warm-up-"));
  const state = new StateDirectory("mine", directory);
  services = await openServices({ workflow: "mine", topology: TOPOLOGY, state });
});

afterEach(async () => {
  await services.close();
  rmSync(directory, { recursive: true });
});

test("services whose earlier warm-up was killed are warmed up again", async () => {
  const { sqs } = services;
  const before = sqs.store.queueNames();
  const deleting = vi.spyOn(sqs.store, "deleteQueue").mockImplementation(() => {
    throw new Error("killed");
  });
  await expect(warmUp(services, TOPOLOGY)).rejects.toThrow("killed");
  expect(sqs.store.queueNames().length).toBeGreaterThan(before.length);
  deleting.mockRestore();
  // DynamoDB deletes a table a moment after the request.
  const gone = { client: services.dynamoDbClient, maxWaitTime: 60, minDelay: 0.05, maxDelay: 0.05 };
  await waitUntilTableNotExists(gone, { TableName: tableName("0-warm-up") });

  await warmUp(services, TOPOLOGY);
  expect(sqs.store.queueNames()).toEqual(before);
});

test("a warm-up uses its own queues and table, leaves nothing behind and touches no queue of the workflow", async () => {
  const { sqs, dynamoDbClient, queue, controlQueue, runs } = services;
  await queue.sendAll([{ body: "mine" }]);
  const before = sqs.store.queueNames();

  await warmUp(services, TOPOLOGY);

  expect(sqs.store.queueNames()).toEqual(before);
  expect(await queue.depth()).toMatchObject({ visible: 1, inFlight: 0 });
  expect(await controlQueue.depth()).toMatchObject({ visible: 0, inFlight: 0 });
  expect(await runs.latest(10)).toEqual([]);
  const { TableNames } = await dynamoDbClient.send(new ListTablesCommand({}));
  expect(TableNames).toEqual(["mine-ledger"]);
});
