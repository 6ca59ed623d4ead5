import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gzipSync } from "node:zlib";
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { buildApp } from "fauxqs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startDynamoDb } from "../../../local/dynamodb/dynalite-server.ts";
import { hasPostgres, startTestPostgres } from "../../helpers/postgres.ts";
import { startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

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
      interval: 50,
      timeout: 200_000,
    });
    expect((await engine.runs.get("r1")).status).toBe("completed");
    const lines = readFileSync(join(directory.path, "items.jsonl"), "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  } finally {
    await engine.close();
  }
}

/** Starts an S3 in place of the user's own. */
async function startS3() {
  const app = buildApp({ logger: false });
  const endpoint = await app.listen({ port: 0, host: "127.0.0.1" });
  vi.stubEnv("AWS_ENDPOINT_URL_S3", endpoint);
  const client = new S3Client({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: "exports" }));
  const put = (Key: string, Body: string | Buffer) =>
    client.send(new PutObjectCommand({ Bucket: "exports", Key, Body }));
  await put("lines/b 1.gz", gzipSync('{"id":3}\n'));
  await put("lines/a.gz", gzipSync('{"id":1}\n{"id":2}\n'));
  await put("other/c.gz", gzipSync('{"id":4}\n'));
  client.destroy();
  return {
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

test("a run of s3Objects has the objects of the user's own bucket", async () => {
  await using _ = await startS3();
  const items = await itemsOfRun("s3-objects");
  expect(items.map(({ bucket, key }) => [bucket, key]).toSorted()).toEqual([
    ["exports", "lines/a.gz"],
    ["exports", "lines/b 1.gz"],
  ]);
});

test("a run of s3Lines has the lines of the user's own objects", async () => {
  await using _ = await startS3();
  const items = await itemsOfRun("s3-lines");
  expect(items.map(({ id }) => id).toSorted()).toEqual([1, 2, 3]);
});

test("a run of dynamoDbScan has the items of the user's own table, with their exact numbers", async () => {
  const server = await startDynamoDb({ accessKeyId: "test" });
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", server.endpoint);
  const client = new DynamoDBClient();
  try {
    await client.send(
      new CreateTableCommand({
        TableName: "customers",
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
        KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      }),
    );
    for (const N of ["1", "12345678901234567890"]) {
      await client.send(new PutItemCommand({ TableName: "customers", Item: { id: { N } } }));
    }
    const items = await itemsOfRun("dynamodb-scan");
    expect(items.map(({ id }) => String(id)).toSorted()).toEqual(["1", "12345678901234567890n"]);
  } finally {
    client.destroy();
    await server.close();
  }
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

test("a run of sqliteRows has the rows of a file", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "shop.db");
  const database = new DatabaseSync(file);
  database.exec(
    "create table customers (id integer primary key, name text); insert into customers values (1, 'Ada'), (2, 'Bo')",
  );
  database.close();
  vi.stubEnv("TEST_SQLITE_FILE", file);
  const items = await itemsOfRun("sqlite-rows");
  expect(items.toSorted((left, right) => Number(left.id) - Number(right.id))).toEqual([
    { id: 1, name: "Ada" },
    { id: 2, name: "Bo" },
  ]);
});
