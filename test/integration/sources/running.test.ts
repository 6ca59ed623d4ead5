import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PATIENTLY } from "../../helpers/patience.ts";
import { hasPostgres, startTestPostgres } from "../../helpers/postgres.ts";
import { startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";
import { userTable } from "../../helpers/user-table.ts";

beforeEach(() => {
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** Runs a workflow on the embedded engine, in the bundles that are deployed, and returns its items. */
async function itemsOfRun(workflow: string): Promise<readonly Record<string, unknown>[]> {
  using directory = temporaryDirectory();
  const engine = await startTestEngine(workflow, directory.path);
  try {
    await startRun(engine, workflow, "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.completionHandledAt !== undefined, {
      ...PATIENTLY,
      interval: 50,
    });
    expect((await engine.runs.get("r1")).status).toBe("completed");
    const lines = readFileSync(join(directory.path, "items.jsonl"), "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  } finally {
    await engine.close();
  }
}

test("a run of dynamoDbScan has the items of the user's own table, with their exact numbers", async () => {
  await using table = await userTable("customers");
  await table.put([{ id: { N: "1" } }, { id: { N: "12345678901234567890" } }]);
  const items = await itemsOfRun("dynamodb-scan");
  expect(items.map(({ id }) => String(id)).toSorted()).toEqual(["1", "12345678901234567890n"]);
});

test.skipIf(!hasPostgres)(
  "a run of postgresRows has the rows of the user's own database, and its bundle has pg",
  async () => {
    const postgres = await startTestPostgres();
    try {
      await postgres.run(`
      create table customers (tenant text, id bigint, primary key (tenant, id));
      insert into customers select t, 9007199254740990 + n from unnest('{a,b}'::text[]) t, generate_series(1, 150) n`);
      vi.stubEnv("TEST_DATABASE_URL", `postgres://bench@127.0.0.1:${postgres.port}/postgres`);
      const items = await itemsOfRun("postgres-rows");
      expect(items).toHaveLength(300);
      expect(new Set(items.map(({ tenant, id }) => `${tenant} ${id}`)).size).toBe(300);
      expect(items).toContainEqual({ tenant: "a", id: 9_007_199_254_740_991 });
      expect(items).toContainEqual({ tenant: "b", id: "9007199254741140n" });
    } finally {
      await postgres.close();
    }
  },
);
