import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { buildApp } from "fauxqs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startDynamoDb } from "../../../local/dynamodb/dynalite-server.ts";
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
