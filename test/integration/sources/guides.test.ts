import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gzipSync } from "node:zlib";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { buildApp } from "fauxqs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { startEngine } from "../../../local/engine.ts";
import { StateDirectory } from "../../../local/state-directory.ts";
import { importWorkflow } from "../../../shared/bundling/load-workflow.ts";
import { topology } from "../../../shared/definition/topology.ts";
import { blocksOf, page, ROOT } from "../../helpers/pages.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { hasPostgres, startTestPostgres } from "../../helpers/postgres.ts";
import { startRun, temporaryDirectory } from "../../helpers/test-engine.ts";
import { userTable } from "../../helpers/user-table.ts";

beforeEach(() => {
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** Runs the workflow of a guide as it stands on the embedded engine. @returns How many items succeeded. */
async function succeededOf(guide: string, name: string): Promise<number> {
  using directory = temporaryDirectory();
  const file = `workflows/${name}.ts`;
  const block = blocksOf(page(`docs/guides/${guide}.md`)).find(({ code }) => code.startsWith(`// ${file}\n`));
  if (block === undefined) throw new Error(`the guide ${guide} has no ${file}`);
  const workflowFile = join(directory.path, file);
  mkdirSync(dirname(workflowFile), { recursive: true });
  // A reader's project has the package.
  const library = JSON.stringify(join(ROOT, "shared/index.ts"));
  writeFileSync(workflowFile, block.code.replace('from "sluice"', `from ${library}`));
  const workflow = await importWorkflow(workflowFile);
  const engine = await startEngine({
    workflow,
    workflowFile,
    topology: topology(workflow),
    state: new StateDirectory(workflow.name, directory.path),
    variables: {},
  });
  try {
    engine.deliver();
    await startRun(engine, workflow.name, "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.completionHandledAt !== undefined, {
      ...PATIENTLY,
      interval: 50,
    });
    const run = await engine.runs.get("r1");
    expect(run.status).toBe("completed");
    const { produced, succeeded } = await engine.runs.counts(run);
    expect(succeeded).toBe(produced);
    return succeeded;
  } finally {
    await engine.close();
  }
}

const s3 = buildApp({ logger: false });
let endpoint = "";
beforeAll(async () => {
  endpoint = await s3.listen({ port: 0, host: "127.0.0.1" });
});
afterAll(async () => {
  s3.server.closeAllConnections();
  await s3.close();
});

test("the workflow of the guide for s3Objects runs", async () => {
  vi.stubEnv("AWS_ENDPOINT_URL_S3", endpoint);
  vi.stubEnv("UPLOADS_BUCKET", "uploads");
  const client = new S3Client({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: "uploads" }));
  for (const Key of ["2026/a", "2026/b", "2025/c"])
    await client.send(new PutObjectCommand({ Bucket: "uploads", Key, Body: "x" }));
  client.destroy();
  expect(await succeededOf("s3", "uploads")).toBe(2);
});

test("the workflow of the guide for s3Lines runs", async () => {
  vi.stubEnv("AWS_ENDPOINT_URL_S3", endpoint);
  vi.stubEnv("EXPORTS_BUCKET", "exports");
  const client = new S3Client({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: "exports" }));
  const Body = gzipSync('{"id":1}\n{"id":2}\n{"id":3}\n');
  await client.send(new PutObjectCommand({ Bucket: "exports", Key: "orders/1.jsonl.gz", Body }));
  client.destroy();
  expect(await succeededOf("s3", "orders")).toBe(3);
});

test("the workflow of the guide for dynamoDbScan runs", async () => {
  await using table = await userTable("customers");
  vi.stubEnv("CUSTOMERS_TABLE", "customers");
  // The second number is one that JavaScript cannot hold.
  await table.put([{ id: { N: "1" } }, { id: { N: "12345678901234567" } }]);
  expect(await succeededOf("dynamodb", "customers")).toBe(2);
});

test.skipIf(!hasPostgres)("the workflow of the guide for postgresRows runs", async () => {
  const postgres = await startTestPostgres();
  try {
    await postgres.run("create table users (id int primary key); insert into users select generate_series(1, 4)");
    vi.stubEnv("DATABASE_URL", `postgres://bench@127.0.0.1:${postgres.port}/postgres`);
    expect(await succeededOf("sql", "users")).toBe(4);
  } finally {
    await postgres.close();
  }
});

test("the workflow of the guide for sqliteRows runs", async () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "data"));
  const database = new DatabaseSync(join(directory.path, "data/shop.db"));
  database.exec("create table products (id integer primary key); insert into products values (1), (2)");
  database.close();
  // The path of the guide is relative to the working directory, which other test files of this process share.
  const before = process.cwd();
  process.chdir(directory.path);
  try {
    expect(await succeededOf("sql", "products")).toBe(2);
  } finally {
    process.chdir(before);
  }
});

test("the workflow of the guide for httpPages runs", async () => {
  const api = createServer(({ url = "", headers }, response) => {
    const { host } = headers;
    const number = Number(new URL(url, `http://${host}`).searchParams.get("page") ?? 1);
    response.setHeader("content-type", "application/json");
    if (number < 3) response.setHeader("link", `<http://${host}/repos?page=${number + 1}>; rel="next"`);
    response.end(JSON.stringify([{ id: 2 * number }, { id: 2 * number + 1 }]));
  });
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  try {
    vi.stubEnv("API_URL", `http://127.0.0.1:${(api.address() as AddressInfo).port}/repos`);
    expect(await succeededOf("sources", "repositories")).toBe(6);
  } finally {
    api.closeAllConnections();
    api.close();
  }
});

test("the workflow of the guide for a source of your own runs, with its partitions", async () => {
  // The days of a leap year and of two other years.
  expect(await succeededOf("sources", "days")).toBe(366 + 365 + 365);
});
