import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BatchWriteItemCommand, CreateTableCommand } from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand, PutBucketTaggingCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, inject, onTestFailed, test, vi } from "vitest";
import { s3Location } from "../../shared/aws/s3-location.ts";
import { readOutputs } from "../../shared/definition/stack-outputs.ts";
import { PATIENTLY } from "../helpers/patience.ts";
import { hasPostgres, startTestPostgres, type TestPostgres } from "../helpers/postgres.ts";
import { cdk, dynamoDbClient, runsIn, sluice, typed } from "./aws.ts";

/** The sources that several producers read, and those that are read as one part. */
const DIVIDED = ["table", "files", "objects", "own", ...(hasPostgres ? ["rows"] : [])];
const WHOLE = ["lines", "products", "pages"];
const WORKFLOWS = [...DIVIDED, ...WHOLE];
const ITEMS = 500;
const NUMBERS = Array.from({ length: ITEMS }, (_, number) => number);
/** More keys than one response of S3 lists, because a bucket with fewer keys is not divided. */
const KEYS = Array.from({ length: 1_050 }, (_, number) => number);
const context = ["--context", "workflows=test/deploy/source-workflows"];
const outputsFile = join(inject("workspace"), "sources-outputs.json");
const dynamoDb = dynamoDbClient();
const credentials = { accessKeyId: "test", secretAccessKey: "test" };
const s3 = new S3Client({ endpoint: inject("endpoint"), region: "us-east-1", credentials, forcePathStyle: true });
let postgres: TestPostgres | undefined;

const outputsOf = (name: string) => readOutputs(name, JSON.parse(readFileSync(outputsFile, "utf8"))[`sluice-${name}`]);

async function writeTable(): Promise<void> {
  await dynamoDb.send(
    new CreateTableCommand({
      TableName: "customers",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    }),
  );
  for (let from = 0; from < ITEMS; from += 25) {
    const customers = NUMBERS.slice(from, from + 25).map((id) => ({ PutRequest: { Item: { id: { N: String(id) } } } }));
    await dynamoDb.send(new BatchWriteItemCommand({ RequestItems: { customers } }));
  }
}

/**
 * An object of 40 MB, which is divided, and a small one, and objects that are listed only. Blanks fill the long lines, so their items
 * are small.
 */
async function writeFiles(): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket: "exports" }));
  const lines = (ids: readonly number[], blanks: number) =>
    ids.map((id) => `{"id":${id}${" ".repeat(blanks)}}\n`).join("");
  const put = (Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket: "exports", Key, Body }));
  await put("in/a", lines(NUMBERS.slice(0, 20), 2_000_000));
  await put("in/b", lines(NUMBERS.slice(20), 0));
  await put("out/c", lines(NUMBERS.slice(0, 10), 0));
  for (let from = 0; from < KEYS.length; from += 50)
    await Promise.all(KEYS.slice(from, from + 50).map((key) => put(`keys/${String(key).padStart(5, "0")}`, "")));
}

/** Files that are packed with a producer must be below the working directory. Returns their directory, as a relative path. */
function writePackedFiles(): string {
  mkdirSync(".sluice", { recursive: true });
  const directory = mkdtempSync(join(".sluice", "deploy-test-"));
  writeFileSync(join(directory, "customers.csv"), ["id,note", ...NUMBERS.map((id) => `${id},"two\nlines"`)].join("\n"));
  const database = new DatabaseSync(join(directory, "shop.db"));
  database.exec("create table products (id integer primary key)");
  const insert = database.prepare("insert into products values (?)");
  for (const id of NUMBERS) insert.run(id);
  database.close();
  return directory;
}

/** A paged API. Each page has 200 items, and names the first item of the next one. */
const api = createServer(({ url = "" }, response) => {
  const from = Number(new URL(url, "http://api").searchParams.get("from") ?? 0);
  const items = NUMBERS.slice(from, from + 200).map((id) => ({ id }));
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ items, next: from + 200 < ITEMS ? String(from + 200) : null }));
});

let packed = "";
beforeAll(async () => {
  packed = writePackedFiles();
  vi.stubEnv("CUSTOMERS_FILE", join(packed, "customers.csv"));
  vi.stubEnv("PRODUCTS_FILE", join(packed, "shop.db"));
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  vi.stubEnv("API_URL", `http://127.0.0.1:${(api.address() as AddressInfo).port}/items`);
  await writeTable();
  await writeFiles();
  vi.stubEnv("CUSTOMERS_TABLE", "customers");
  vi.stubEnv("EXPORTS_BUCKET", "exports");
  if (hasPostgres) {
    postgres = await startTestPostgres();
    await postgres.run(
      `create table customers (id int primary key); insert into customers select generate_series(0, ${ITEMS - 1});
       analyze customers`,
    );
    vi.stubEnv("DATABASE_URL", `postgres://bench@127.0.0.1:${postgres.port}/postgres`);
  }
  await cdk("bootstrap", "aws://000000000000/us-east-1", ...context);
  await cdk("deploy", ...WORKFLOWS, ...context, "--require-approval", "never", "--outputs-file", outputsFile);
});
afterAll(async () => {
  // Other test files choose the only stack that has a workflow. The CDK's function empties only buckets with this tag, and the
  // emulator's CloudFormation gives buckets no tags.
  const TagSet = [{ Key: "aws-cdk:auto-delete-objects", Value: "true" }];
  for (const name of WORKFLOWS) {
    const { bucket: Bucket } = s3Location(outputsOf(name).resultsUrl ?? "");
    await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  }
  await cdk("destroy", ...WORKFLOWS, ...context, "--force");
  vi.unstubAllEnvs();
  dynamoDb.destroy();
  s3.destroy();
  await postgres?.close();
  rmSync(packed, { recursive: true });
  api.closeAllConnections();
  api.close();
});

test.each(WORKFLOWS)(
  "the deployed workflow %s reads its source, in partitions if it has any, with the rights that the source names",
  async (name) => {
    onTestFailed(() => console.error(readFileSync(inject("ministackLog"), "utf8").slice(-10_000)));
    const [asked] = await sluice("start", name, "--stack", `sluice-${name}`, "--json");
    const run = String(asked?.run);
    const runs = runsIn(dynamoDb, outputsOf(name).table);
    await vi.waitFor(
      async () => {
        const { status, results, partitions = 1, failure } = await runs.get(run);
        expect({ status, failure, manifest: results?.manifest }).toEqual({ status: "completed", manifest: 1 });
        expect(partitions > 1).toBe(DIVIDED.includes(name));
      },
      { ...PATIENTLY, interval: 500 },
    );
    const file = join(inject("workspace"), `${name}.jsonl`);
    await typed("results", run, "--stack", `sluice-${name}`, "--format", "jsonl", "--output", file);
    const ids = readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((row) => JSON.parse(row).result);
    expect(ids.toSorted((left, right) => left - right)).toEqual(name === "objects" ? KEYS : NUMBERS);
  },
);
