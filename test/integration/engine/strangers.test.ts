import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { ListQueuesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openServices, reachServices, type Services, tableName } from "../../../local/local-services.ts";
import { StateDirectory } from "../../../local/state-directory.ts";
import { topology } from "../../../shared/definition/topology.ts";
import { defineWorkflow, items } from "../../../shared/index.ts";
import { rawRequest } from "../../helpers/raw-request.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

const workflow = defineWorkflow({ name: "mine", source: items([]), task: () => {}, concurrency: 10 });
const directory = temporaryDirectory();
const state = new StateDirectory("mine", directory.path);
let services: Services;

beforeAll(async () => {
  services = await openServices({ workflow: "mine", topology: topology(workflow), state });
});

afterEach(() => {
  vi.unstubAllEnvs();
});

afterAll(async () => {
  await services.close();
  directory[Symbol.dispose]();
});

const credential = (key: string, service: string) => `Credential=${key}/20261127/us-east-1/${service}/aws4_request`;

const signature = (key: string, service: string) =>
  `AWS4-HMAC-SHA256 ${credential(key, service)}, SignedHeaders=host;x-amz-date, Signature=00`;

/** The servers, each with a request that would delete what it keeps, and whether that is still there. */
const SERVERS = {
  SQS: {
    service: "sqs",
    endpoint: () => services.sqs.endpoint,
    target: "AmazonSQS.DeleteQueue",
    body: () => ({ QueueUrl: services.sqs.queueUrl(services.names.queue) }),
    isWhole: async () => services.sqs.store.hasQueue(services.names.queue),
  },
  DynamoDB: {
    service: "dynamodb",
    endpoint: () => services.dynamoDb.endpoint,
    target: "DynamoDB_20120810.DeleteTable",
    body: () => ({ TableName: tableName("mine") }),
    isWhole: async () =>
      (await services.dynamoDbClient.send(new ListTablesCommand({}))).TableNames?.includes(tableName("mine")) === true,
  },
} as const;

describe.each(Object.entries(SERVERS))("The engine's %s", (_, { service, endpoint, target, body, isWhole }) => {
  const headers = () => ({
    "content-type": "application/x-amz-json-1.0",
    "x-amz-target": target,
    "x-amz-date": "20261127T080000Z",
  });
  const authorized = () => ({ ...headers(), authorization: signature(services.accessKeyId, service) });
  const send = (more: Parameters<typeof rawRequest>[1]) =>
    rawRequest(endpoint(), { headers: authorized(), body: JSON.stringify(body()), ...more });

  const expectRefusal = async (answer: Awaited<ReturnType<typeof send>>, code: string) => {
    expect(answer.status).toBe(403);
    expect(answer.body).toContain(code);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
    expect(answer.body).not.toContain(services.accessKeyId);
    expect(await isWhole()).toBe(true);
  };

  test("refuses a wrong key and requests without a key, as AWS does", async () => {
    const wrong = await send({ headers: { ...headers(), authorization: signature("local", service) } });
    await expectRefusal(wrong, "UnrecognizedClientException");
    expect(JSON.parse(wrong.body)).toEqual({
      __type: "com.amazon.coral.service#UnrecognizedClientException",
      message: expect.stringContaining("aws-config"),
    });
    expect(wrong.headers["x-amzn-query-error"]).toBe("InvalidClientTokenId;Sender");
    await expectRefusal(await send({ headers: headers() }), "MissingAuthenticationTokenException");
  });

  test("refuses hosts that are not loopback, as after DNS rebinding, even with the key", async () => {
    for (const host of ["evil.example", `evil.example:${new URL(endpoint()).port}`, "0.0.0.0"]) {
      await expectRefusal(await send({ headers: { ...authorized(), host } }), "AccessDeniedException");
    }
  });

  test("refuses web pages, even of its own origin and with the key", async () => {
    for (const origin of ["https://evil.example", endpoint(), "null"]) {
      await expectRefusal(await send({ headers: { ...authorized(), origin } }), "AccessDeniedException");
    }
  });

  test("refuses preflight requests", async () => {
    const preflight = {
      origin: "https://evil.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,x-amz-target",
    };
    await expectRefusal(await send({ method: "OPTIONS", headers: preflight, body: "" }), "AccessDenied");
  });

  test("refuses presigned requests, even with the key", async () => {
    const query = new URLSearchParams({
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Credential": `${services.accessKeyId}/20261127/us-east-1/${service}/aws4_request`,
      "X-Amz-Date": "20261127T080000Z",
      "X-Amz-SignedHeaders": "host",
      "X-Amz-Signature": "00",
    });
    await expectRefusal(await send({ path: `/?${query}`, headers: headers() }), "MissingAuthenticationToken");
  });

  test("refuses requests that a page can send without a preflight: reads, and forms of the query protocol", async () => {
    await expectRefusal(await send({ method: "GET", headers: {}, body: "" }), "MissingAuthenticationToken");
    const form = await send({
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: `Action=DeleteQueue&QueueUrl=${encodeURIComponent(services.sqs.queueUrl(services.names.queue))}`,
    });
    await expectRefusal(form, "<Code>MissingAuthenticationToken</Code>");
    expect(form.headers["content-type"]).toBe("text/xml");
    const text = await send({ headers: { "content-type": "text/plain" } });
    await expectRefusal(text, "MissingAuthenticationToken");
  });

  test.each(["localhost", "127.0.0.1", "[::1]"])("answers its own clients that call it %s", async (host) => {
    const list = service === "sqs" ? "AmazonSQS.ListQueues" : "DynamoDB_20120810.ListTables";
    const { port } = new URL(endpoint());
    const headers = { ...authorized(), "x-amz-target": list, host: `${host}:${port}` };
    expect(await send({ headers, body: "{}" })).toMatchObject({ status: 200, body: expect.stringContaining("mine") });
  });
});

describe("The key of an engine", () => {
  test("is in files that only the user can read, and only while the engine runs", async () => {
    using other = temporaryDirectory();
    // An earlier version made it for everybody.
    mkdirSync(join(other.path, "old"), { mode: 0o755 });
    const old = new StateDirectory("old", other.path);
    writeFileSync(old.awsConfig, "of a process that was killed", { mode: 0o644 });
    const opened = await openServices({ workflow: "old", state: old });
    const keyed = [join(old.path, "engine.json"), old.awsConfig];
    for (const file of keyed) {
      expect(readFileSync(file, "utf8")).toContain(opened.accessKeyId);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    expect(statSync(old.path).mode & 0o777).toBe(0o700);
    await opened.close();
    for (const file of keyed) expect(existsSync(file)).toBe(false);
    const again = await openServices({ workflow: "old", state: old });
    expect(again.accessKeyId).not.toBe(opened.accessKeyId);
    await again.close();
  });

  test("works for the AWS CLI and SDKs, through the profile of a configuration file", async () => {
    vi.stubEnv("AWS_CONFIG_FILE", state.awsConfig);
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(directory.path, "none"));
    const sqs = new SQSClient({ profile: "sluice" });
    const dynamoDb = new DynamoDBClient({ profile: "sluice" });
    // Endpoints are those of the profile in the environment.
    vi.stubEnv("AWS_PROFILE", "sluice");
    expect((await sqs.send(new ListQueuesCommand({}))).QueueUrls).toContain(services.sqs.queueUrl("mine-queue"));
    expect((await dynamoDb.send(new ListTablesCommand({}))).TableNames).toEqual([tableName("mine")]);
    sqs.destroy();
    dynamoDb.destroy();
  });

  test("is available to other commands of the user", async () => {
    const owner = JSON.parse(readFileSync(join(state.path, "engine.json"), "utf8"));
    // As if another process held the directory.
    writeFileSync(join(state.path, "engine.json"), JSON.stringify({ ...owner, pid: process.ppid }));
    const reached = await reachServices("mine", state);
    expect(await reached.queue.depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
    expect(await reached.runs.latest(1)).toEqual([]);
    await reached.close();
  });
});
