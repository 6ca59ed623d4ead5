import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { Overview } from "../../ui/server/api.ts";
import { PrivateFiles } from "../../ui/server/private-files.ts";
import { type Dashboard, startDashboard } from "../../ui/server/server.ts";
import { fakePlace } from "../helpers/fake-place.ts";
import { someDeadLetter } from "../helpers/some-dead-letter.ts";
import { CHROMIUM, launchChromium } from "./chromium.ts";
import { openPage } from "./dashboard-world.ts";

const MANY = 100_000;
const REBOUND = "rebound.example";

const overview: Overview = {
  place: "stack sluice-large",
  flags: " --stack sluice-large",
  isStack: true,
  writable: false,
  startable: ["large"],
  workflows: [{ workflow: "large", name: "large", running: true, deadLetters: MANY }],
  runs: [],
  problem: null,
  isRead: true,
};

const deadLetter = (number: number): DeadLetter =>
  someDeadLetter(number, {
    error: { name: "Error", message: `no route to host-${number % 40}` },
    fingerprint: { id: `group-${number % 40}`, text: `Error: no route to host-${number % 40}` },
  });

/** A stack with 100,000 dead letters, without the stack. */
const place = fakePlace({
  overview,
  load: async ({ see, onProgress }) => {
    for (let number = 0; number < MANY; number++) {
      see(deadLetter(number));
      if (number % 10_000 === 0) onProgress({ phase: "receiving", done: number, total: MANY });
    }
    return { message: `${MANY} dead letters loaded.` };
  },
});

describe.skipIf(CHROMIUM === undefined)("The dashboard of a stack that is shown without changing it", () => {
  let directory: string;
  let browser: Browser;
  let dashboard: Dashboard;
  let elsewhere: Server;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "sluice-test-"));
    dashboard = await startDashboard({ place, files: new PrivateFiles(directory) });
    browser = await launchChromium([REBOUND]);
    elsewhere = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>evil</title><body></body>");
    });
    await new Promise<void>((listening) => elsewhere.listen(0, "127.0.0.1", listening));
  });

  afterAll(async () => {
    await browser?.close();
    elsewhere?.closeAllConnections();
    elsewhere?.close();
    await dashboard?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test("100,000 dead letters are loaded, grouped, filtered and paged, with few rows in the document", async () => {
    const { page, context, faults } = await openPage(browser, dashboard.url);
    await page.getByRole("link", { name: /Failures of large/ }).click();
    await page.getByText("this takes about 10,000 receives").waitFor();
    await page.getByRole("button", { name: "Load the dead letters", exact: true }).click();
    await page.getByRole("heading", { name: "100,000 dead letters" }).waitFor();
    expect(await page.locator(".groups li").count()).toBe(40);
    expect(await page.locator(".letter").count()).toBeLessThan(40);
    // The end of the list: the rows there are read now.
    await page.locator(".letters").evaluate((list) => list.scrollTo(0, list.scrollHeight));
    await page.locator(".letter", { hasText: '{"number":0}' }).waitFor();
    expect(await page.locator(".letter").count()).toBeLessThan(40);
    await page.getByRole("searchbox", { name: "Text" }).fill('"number":777}');
    await page.getByRole("heading", { name: "1 dead letter", exact: true }).waitFor();
    expect(faults).toEqual([]);
    expect(await page.getByRole("button", { name: "Redrive 1…", exact: true }).isDisabled()).toBe(true);
    await context.close();
  });

  test("a change is refused, also if a page sends it without its buttons", async () => {
    const { page, context } = await openPage(browser, dashboard.url);
    const statuses = await page.evaluate(async () => {
      const headers = { "content-type": "application/json" };
      const send = async (path: string, body: object) =>
        (await fetch(path, { method: "POST", headers, body: JSON.stringify(body) })).status;
      return [
        await send("/api/command", { command: "cancel", workflow: "large", run: "run-1" }),
        await send("/api/work", { kind: "purge", workflow: "large" }),
        await send("/api/work", { kind: "redrive", workflow: "large" }),
      ];
    });
    expect(statuses).toEqual([403, 403, 403]);
    await context.close();
  });

  test("a page of another site reads nothing and changes nothing, although the browser has the cookie", async () => {
    const { context } = await openPage(browser, dashboard.url);
    const page = await context.newPage();
    const { port } = elsewhere.address() as AddressInfo;
    for (const site of [`http://127.0.0.1:${port}`, `http://${REBOUND}:${port}`]) {
      await page.goto(site);
      const reads = await page.evaluate(async (origin) => {
        const found: string[] = [];
        const tries: readonly RequestInit[] = [
          { credentials: "include" },
          { credentials: "include", method: "POST", mode: "no-cors", body: '{"kind":"load","workflow":"large"}' },
        ];
        for (const path of ["/", "/api/dead-letters?workflow=large", "/api/work"]) {
          for (const init of tries) {
            try {
              const response = await fetch(origin + path, init);
              if (response.type !== "opaque") found.push(await response.text());
            } catch {
              // The browser does not let the page read the answer.
            }
          }
        }
        return found;
      }, `http://127.0.0.1:${dashboard.port}`);
      expect(reads).toEqual([]);
    }
    await context.close();
  });

  test("after DNS rebinding, the server refuses every request", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const { search } = new URL(dashboard.url);
    for (const path of ["/", `/${search}`, "/page.js", "/api/events", "/api/dead-letters?workflow=large"]) {
      const response = await page.goto(`http://${REBOUND}:${dashboard.port}${path}`);
      expect(response?.status()).toBe(403);
      expect(await response?.text()).toContain("this server answers at http://127.0.0.1");
      expect(await response?.headerValue("set-cookie")).toBeNull();
    }
    await context.close();
  });
});
