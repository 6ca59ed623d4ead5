import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ScanCommand } from "@aws-sdk/client-dynamodb";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openServices, type Services, tableName } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { topology } from "../../shared/definition/topology.ts";
import { defineWorkflow, items } from "../../shared/index.ts";
import { temporaryDirectory } from "../helpers/test-engine.ts";
import { type AttackTarget, attackFrom, type Read } from "./attack.ts";
import { CHROMIUM, launchChromium } from "./chromium.ts";

const workflow = defineWorkflow({ name: "mine", source: items([]), task: () => {}, concurrency: 10 });
const REBOUND = "rebound.example";
const SECRET = "what no page may read";

describe.skipIf(CHROMIUM === undefined)("No web page reaches the servers of the embedded engine", () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let services: Services;
  let browser: Browser;
  let pages: Server;
  let before: unknown;

  beforeAll(async () => {
    directory = temporaryDirectory();
    const state = new StateDirectory("mine", directory.path);
    services = await openServices({ workflow: "mine", topology: topology(workflow), state });
    await services.runs.create({ id: "run", workflow: "mine", requestedAt: new Date().toISOString() });
    for (const queue of [services.queue, services.deadLetterQueue]) await queue.sendAll([{ body: SECRET }]);
    before = await kept();
    // A page of any site. `/sandboxed` has an opaque origin.
    pages = createServer((request, response) => {
      response.writeHead(200, {
        "content-type": "text/html",
        ...(request.url === "/sandboxed" && { "content-security-policy": "sandbox allow-scripts allow-forms" }),
      });
      response.end("<!doctype html><title>evil</title><body></body>");
    });
    pages.listen(0, "127.0.0.1");
    await once(pages, "listening");
    browser = await launchChromium([REBOUND]);
  });

  afterAll(async () => {
    await browser?.close();
    pages?.closeAllConnections();
    pages?.close();
    await services?.close();
    directory[Symbol.dispose]();
  });

  /** All that the servers keep. */
  async function kept(): Promise<unknown> {
    const { Items } = await services.dynamoDbClient.send(new ScanCommand({ TableName: tableName("mine") }));
    const queues = Object.values(services.names).map((name) => [name, services.sqs.store.counts(name)]);
    return { Items, queues };
  }

  const keys = () => ["local", services.accessKeyId];

  const targets = (host: string): readonly AttackTarget[] => {
    const at = (endpoint: string) => `http://${host}:${new URL(endpoint).port}`;
    const queue = services.sqs.queueUrl(services.names.queue);
    const table = tableName("mine");
    return [
      {
        endpoint: at(services.sqs.endpoint),
        keys: keys(),
        requests: [
          { target: "AmazonSQS.ReceiveMessage", body: JSON.stringify({ QueueUrl: queue }) },
          { target: "AmazonSQS.ListQueues", body: "{}" },
          { target: "AmazonSQS.DeleteQueue", body: JSON.stringify({ QueueUrl: queue }) },
        ],
        query: { Action: "DeleteQueue", QueueUrl: queue },
      },
      {
        endpoint: at(services.dynamoDb.endpoint),
        keys: keys(),
        requests: [
          { target: "DynamoDB_20120810.Scan", body: JSON.stringify({ TableName: table }) },
          { target: "DynamoDB_20120810.DeleteTable", body: JSON.stringify({ TableName: table }) },
        ],
        query: { Action: "DeleteTable", TableName: table },
      },
    ];
  };

  async function attackBoth(page: Page, host: string): Promise<readonly Read[]> {
    const reads: Read[] = [];
    for (const target of targets(host)) reads.push(...(await attackFrom(page, target)));
    return reads;
  }

  const pagePort = () => (pages.address() as AddressInfo).port;

  test.each([
    ["another port of this machine", "127.0.0.1", "/", "127.0.0.1"],
    ["another name of this machine", "localhost", "/", "127.0.0.1"],
    ["a sandbox, whose origin is null", "127.0.0.1", "/sandboxed", "127.0.0.1"],
    ["a foreign site, by that site's name", REBOUND, "/", REBOUND],
    ["a foreign site, by a loopback address", REBOUND, "/", "127.0.0.1"],
  ])("from %s: it reads nothing, and changes nothing", async (_, site, path, host) => {
    const page = await browser.newPage();
    await page.goto(`http://${site}:${pagePort()}${path}`);
    expect(await attackBoth(page, host)).toEqual([]);
    expect(await kept()).toEqual(before);
    await page.close();
  });

  test("after DNS rebinding, when it counts as the same origin: it reads only refusals, and changes nothing", async () => {
    for (const target of targets(REBOUND)) {
      const page = await browser.newPage();
      // The page was loaded while the name still led to the foreign site.
      await page.route(`${target.endpoint}/page`, (route) =>
        route.fulfill({ contentType: "text/html", body: "<!doctype html><body></body>" }),
      );
      await page.goto(`${target.endpoint}/page`);
      await page.unrouteAll();
      const reads = await attackFrom(page, target);
      // Its requests reach the server.
      expect(reads.filter(({ by }) => by === "fetch POST with headers").length).toBeGreaterThan(0);
      expect(reads.filter(({ status }) => status !== 403 && status !== 0)).toEqual([]);
      const text = reads.map((read) => read.text).join("\n");
      expect(text).toContain("AccessDenied");
      for (const secret of [SECRET, "mine-queue", services.accessKeyId]) expect(text).not.toContain(secret);
      await page.close();
    }
    expect(await kept()).toEqual(before);
  });
});
