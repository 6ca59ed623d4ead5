import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { Sample } from "../../shared/observe/sample.ts";
import type { CommandRequest, ListedRun, Overview } from "../../ui/server/api.ts";
import type { Place } from "../../ui/server/place.ts";
import { PrivateFiles } from "../../ui/server/private-files.ts";
import { type Dashboard, startDashboard } from "../../ui/server/server.ts";
import { emptyOverview, fakePlace } from "../helpers/fake-place.ts";
import { someDeadLetter } from "../helpers/some-dead-letter.ts";
import { seriousViolations } from "./axe.ts";
import { CHROMIUM, launchChromium } from "./chromium.ts";
import { openPage } from "./dashboard-world.ts";

const MILLION = 1_000_000;
/** As many samples as the history of a run of a week has. */
const SAMPLES = 15_000;
const RUN = "20261128-100000-abcd";
const STARTED = Date.parse("2026-11-28T10:00:00.000Z");

const sampleAt = (index: number): Sample => ({
  at: STARTED + index * 40_000,
  status: "running",
  produced: MILLION,
  total: MILLION,
  succeeded: Math.floor((MILLION * index) / (2 * SAMPLES)),
  dead: 3,
  retried: index,
  throttled: index >> 3,
  inFlight: index % 50,
  rate: 100 + (index % 7),
  secondsLeft: 3_600,
  ceiling: 50,
  slots: 40,
  mean: 120,
});

const run = (succeeded: number, live: Sample): ListedRun => ({
  workflow: "large",
  run: RUN,
  status: "running",
  interrupted: false,
  produced: MILLION,
  succeeded,
  dead: 3,
  cancelled: 0,
  retried: 12,
  pending: MILLION - succeeded - 3,
  deadByReason: { permanent: 3 },
  sourceEnded: true,
  requestedAt: new Date(STARTED).toISOString(),
  completedAt: null,
  wallSeconds: null,
  failure: null,
  codeVersion: null,
  codeChange: null,
  sourceWaitsUntil: null,
  warnings: [],
  sameFailure: null,
  notes: [],
  limit: null,
  pages: MILLION / 200,
  partitions: { total: 10_000, read: 10_000 },
  redriven: false,
  results: "jsonl",
  throttled: 40,
  live,
});

const overviewAt = (index: number): Overview => ({
  ...emptyOverview,
  place: "stack sluice-large",
  flags: " --stack sluice-large",
  isStack: true,
  startable: ["large"],
  workflows: [{ workflow: "large", name: "large", running: true, deadLetters: 3 }],
  runs: [run(index * 33, sampleAt(index))],
});

const deadLetter = (index: number): DeadLetter =>
  someDeadLetter(index, {
    reason: "permanent",
    expiresAt: "2026-12-12T10:00:00.000Z",
    run: RUN,
    item: { number: index, country: "XX", tags: ["a", { deep: null }] },
    failures: [
      {
        attempt: 1,
        at: "2026-11-28T10:00:00.000Z",
        durationMilliseconds: 120,
        kind: "threw",
        name: "PermanentError",
        message: "there is no country XX",
        stack: "PermanentError: there is no country XX\n    at task (large.ts:1:1)",
      },
    ] as unknown as DeadLetter["failures"],
    error: { name: "PermanentError", message: "there is no country XX" },
  });

describe.skipIf(CHROMIUM === undefined)(
  "The dashboard of a stack that may be changed, with a run of a million items",
  () => {
    let directory: string;
    let browser: Browser;
    let dashboard: Dashboard;
    let commands: CommandRequest[];
    let works: string[];
    let index: number;

    beforeAll(async () => {
      browser = await launchChromium([]);
    });
    afterAll(() => browser?.close());

    beforeEach(async () => {
      [commands, works, index] = [[], [], SAMPLES];
      directory = mkdtempSync(join(tmpdir(), "sluice-test-"));
      const partition = (number: number) => ({
        ...{ number, id: `part ${number}`, phase: "settled" as const, pages: 1, items: 100, problem: null },
      });
      const place: Place = fakePlace({
        get overview() {
          return overviewAt(index);
        },
        samplesOf: () => {
          let read = 0;
          return {
            read: async () => {
              const from = read;
              read = index;
              return Array.from({ length: read - from }, (_, place) => sampleAt(from + place + 1));
            },
          };
        },
        detail: async () => ({ definition: [["concurrency", "50 tasks in flight"]], file: null, problem: null }),
        partitions: async (_workflow, _run, _show, offset) => ({
          ...{ total: 10_000, phases: { settled: 10_000 }, matching: 10_000 },
          rows: Array.from({ length: 100 }, (_, number) => partition(offset + number + 1)),
        }),
        durations: async () => ({
          periodSeconds: 60,
          points: [0, 1, 2].map((minute) => ({ at: STARTED + minute * 60_000, p50: 100, p95: 200, p99: 300 + minute })),
          problem: null,
        }),
        logs: async ({ item }) => ({
          omitted: 7,
          lines: [
            {
              ...{ at: "2026-11-28T10:00:00.000Z", function: "consumer", level: "error", item: item ?? `${RUN}/0/1` },
              ...{ attempt: 1, message: "<b>dead letter</b>", fields: "" },
            },
          ],
        }),
        command: async (request) => {
          commands.push(request);
          return "The command has ended.";
        },
        load: async ({ see }) => {
          for (let number = 0; number < 3; number++) see(deadLetter(number));
          return { message: "3 dead letters loaded." };
        },
        redrive: async ({ ratePerSecond }) => {
          works.push(`redrive at ${ratePerSecond}`);
          return { message: "3 dead letters were sent back." };
        },
        purge: async () => {
          works.push("purge");
          return { message: "3 dead letters were deleted." };
        },
      });
      dashboard = await startDashboard({ place, files: new PrivateFiles(directory) });
    });
    afterEach(async () => {
      await dashboard?.close();
      rmSync(directory, { recursive: true, force: true });
    });

    const audit = (): readonly Record<string, unknown>[] => {
      const text = readFileSync(join(directory, ".dashboard/audit.jsonl"), { encoding: "utf8", flag: "a+" });
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line));
    };

    const openRun = async (page: Page) => {
      await page.locator(".runs a").first().click();
      await page.locator("canvas").first().waitFor();
    };
    const openFailures = async (page: Page) => {
      await page.getByRole("link", { name: /Failures of large/ }).click();
      const load = page.getByRole("button", { name: /^Load/ });
      await load.click();
      await page.locator(".letter-text").first().waitFor();
    };

    test("each change is confirmed, and written to the audit log before and after it is made", async () => {
      const { page, context, faults } = await openPage(browser, dashboard.url);
      await openRun(page);
      const dialog = page.getByRole("dialog");
      for (const [button, verb, command] of [
        ["Pause", "Pause the run", "pause"],
        ["Cancel…", "Cancel the run", "cancel"],
      ] as const) {
        await page.getByRole("button", { name: button, exact: true }).click();
        expect(await dialog.textContent()).toContain(`npx sluice ${command} ${RUN} --stack sluice-large`);
        await dialog.getByRole("button", { name: "Do nothing" }).click();
        await dialog.waitFor({ state: "detached" });
        const before = audit().length;
        await page.getByRole("button", { name: button, exact: true }).click();
        // A key that is pressed before the dialog is open does not close it.
        await dialog.getByRole("button", { name: verb }).waitFor();
        await page.keyboard.press("Escape");
        await dialog.waitFor({ state: "detached" });
        expect(audit().length).toBe(before);
        await page.getByRole("button", { name: button, exact: true }).click();
        await dialog.getByRole("button", { name: verb }).click();
        await page.getByText("The command has ended.").waitFor();
        await page.locator(".banner").getByRole("button", { name: "Close" }).click();
        expect(audit().slice(before)).toMatchObject([
          { command, run: RUN, event: "began" },
          { command, run: RUN, event: "ended", message: "The command has ended." },
        ]);
      }
      expect(commands.map(({ command }) => command)).toEqual(["pause", "cancel"]);

      await openFailures(page);
      await page.getByLabel("At most, per second").fill("5");
      await page.getByRole("button", { name: "Redrive 3…", exact: true }).click();
      expect(works).toEqual([]);
      await dialog.getByRole("button", { name: "Redrive", exact: true }).click();
      await page.getByText("3 dead letters were sent back.").waitFor();
      await page.getByRole("button", { name: "Purge 3…", exact: true }).click();
      expect(works).toEqual(["redrive at 5"]);
      await dialog.getByRole("button", { name: "Delete 3", exact: true }).click();
      await page.getByText("3 dead letters were deleted.").waitFor();
      expect(works).toEqual(["redrive at 5", "purge"]);
      expect(audit().slice(4)).toMatchObject([
        { kind: "redrive", deadLetters: 3, ratePerSecond: 5, event: "began" },
        { kind: "redrive", event: "ended" },
        { kind: "purge", deadLetters: 3, event: "began" },
        { kind: "purge", event: "ended" },
      ]);
      expect(faults).toEqual([]);
      await context.close();
    });

    test.each([
      [380, "light"],
      [380, "dark"],
      [1_024, "light"],
      [1_024, "dark"],
    ] as const)(
      "at %d px in %s, axe finds nothing serious on any page, and nothing is cut off",
      async (width, theme) => {
        const { page, context, faults } = await openPage(browser, dashboard.url, { width, theme });
        const check = async (name: string) => {
          expect([name, await seriousViolations(page)]).toEqual([name, []]);
          const shown = await page.evaluate("document.documentElement.scrollWidth");
          expect([name, shown]).toEqual([name, width]);
        };
        await page.locator(".runs a").first().waitFor();
        await page.getByText("Start a run").click();
        await check("runs");
        await openRun(page);
        await page.getByText("10,000 partitions").waitFor();
        await page.getByRole("button", { name: "Show the log" }).click();
        await page.getByText("<b>dead letter</b>").waitFor();
        await page.getByText("The durations are those that CloudWatch has recorded for each minute").waitFor();
        await check("run");
        await page.getByRole("button", { name: "Cancel…" }).click();
        await check("the dialog of a run");
        await page.keyboard.press("Escape");
        await openFailures(page);
        await check("failures");
        await page.locator(".letter-text").first().click();
        await page.locator(".timeline").waitFor();
        await page.getByRole("button", { name: "Edit the item" }).click();
        const item = page.getByLabel("The new item, as JSON");
        await item.fill((await item.inputValue()).replace("XX", "FR"));
        await page.locator(".diff ins").waitFor();
        await check("one item");
        await page.getByRole("button", { name: /^Redrive 1/ }).click();
        await check("the dialog of a redrive");
        await page.keyboard.press("Escape");
        await page.getByRole("button", { name: /^Purge/ }).click();
        await check("the dialog of a purge");
        expect(faults).toEqual([]);
        await context.close();
      },
    );

    /** Seconds of CPU time that the page's main thread has used. */
    const cpuSeconds = async (session: CDPSession): Promise<number> => {
      const { metrics } = await session.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN;
    };

    test("a run of a million items with the history of a week costs little when it moves on", async () => {
      const { page, context, faults } = await openPage(browser, dashboard.url);
      await openRun(page);
      await page
        .locator(".legend", { hasText: "1,000,000" })
        .or(page.locator(".legend", { hasText: "pending" }))
        .first()
        .waitFor();
      // The number of elements does not grow with the items, the samples or the partitions.
      const elements = Number(await page.evaluate("document.querySelectorAll('*').length"));
      expect(elements).toBeLessThan(1_500);
      const session = await context.newCDPSession(page);
      await session.send("Performance.enable", { timeDomain: "threadTicks" });
      const before = await cpuSeconds(session);
      const MOVES = 5;
      for (let move = 0; move < MOVES; move++) {
        index++;
        const done = (index * 33).toLocaleString("en");
        await page
          .locator(".legend", { hasText: `${done} done` })
          .first()
          .waitFor();
      }
      // A quarter of a core, in the browser of a slow machine, is not noticed.
      expect(((await cpuSeconds(session)) - before) / MOVES).toBeLessThan(0.25);
      expect(Number(await page.evaluate("document.querySelectorAll('*').length"))).toBeLessThan(elements + 50);
      // What the server sends each second does not grow with the items either.
      expect(JSON.stringify(overviewAt(index)).length).toBeLessThan(2_500);
      expect(faults).toEqual([]);
      await context.close();
    });
  },
);
