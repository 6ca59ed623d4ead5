import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seriousViolations } from "./axe.ts";
import { CHROMIUM, launchChromium } from "./chromium.ts";
import { DashboardWorld, type OpenPage, openPage } from "./dashboard-world.ts";

const DEAD = 8;
const PER_SECOND = 1;

describe.skipIf(CHROMIUM === undefined)("The dashboard beside a run that works", () => {
  let browser: Browser;
  let world: DashboardWorld;
  let opened: OpenPage;

  beforeAll(async () => {
    browser = await launchChromium([]);
    world = new DashboardWorld("rated");
    await world.start();
    opened = await openPage(browser, world.url);
  });

  afterAll(async () => {
    await browser?.close();
    await world?.kill();
    world?.[Symbol.dispose]();
  });

  test("dead letters are redriven at a rate, and the counts of the run move no faster", async () => {
    const { page, faults } = opened;
    await page.getByText("Start a run").click();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.locator(".runs .number[data-label=Dead]", { hasText: String(DEAD) }).waitFor();
    await page.getByRole("link", { name: /Failures of rated/ }).click();
    await page.getByRole("button", { name: "Load the dead letters", exact: true }).click();
    await page.getByRole("heading", { name: `${DEAD} dead letters` }).waitFor();
    await page.getByLabel("Set values in each item").fill("broken=false");
    await page.getByLabel("At most, per second").fill(String(PER_SECOND));
    // The page notes itself when it shows which number of done items, so that this test sees each of them.
    await page.evaluate(`
      globalThis.seen = [];
      const note = () => {
        const done = document.querySelector(".run-line .legend b")?.textContent;
        if (done !== globalThis.seen.at(-1)?.done) globalThis.seen.push({ done, at: performance.now() });
      };
      new MutationObserver(note).observe(document.querySelector("main"), { subtree: true, childList: true, characterData: true });
    `);
    await page.getByRole("button", { name: `Redrive ${DEAD}…`, exact: true }).click();
    const dialog = page.getByRole("dialog");
    expect(await dialog.textContent()).toContain(`--rate ${PER_SECOND} --workflow rated`);
    expect(await seriousViolations(page)).toEqual([]);
    const began = Number(await page.evaluate("performance.now()"));
    await dialog.getByRole("button", { name: "Redrive", exact: true }).click();
    await page.locator(".run-line .legend", { hasText: `${DEAD} done` }).waitFor();
    const seen = (await page.evaluate("globalThis.seen")) as readonly { readonly done: string; readonly at: number }[];
    const moves = seen.map(({ done, at }) => ({ done: Number(done), seconds: (at - began) / 1_000 }));
    // The first one goes at once. A slow machine can only be later, and may show fewer of the numbers.
    for (const { done, seconds } of moves) expect(done).toBeLessThanOrEqual(1 + PER_SECOND * Math.max(0, seconds));
    expect(moves.at(-1)?.done).toBe(DEAD);
    expect(faults).toEqual([]);
  });

  test("a page in the background lets its connection go, and shows what has changed when it is back", async () => {
    const { page } = opened;
    await page.locator(".brand").click();
    const setHidden = (hidden: boolean) =>
      page.evaluate(`
        Object.defineProperty(document, "hidden", { configurable: true, get: () => ${hidden} });
        document.dispatchEvent(new Event("visibilitychange"));
      `);
    await setHidden(true);
    const tabs = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const tab = await opened.context.newPage();
        await tab.goto(world.origin);
        await tab.locator(".runs a").first().waitFor();
        return tab;
      }),
    );
    writeFileSync(join(world.cli.path, "open"), "");
    await tabs[0]?.locator(".runs .status", { hasText: "completed" }).waitFor();
    expect(await page.locator(".runs .status").first().textContent()).not.toBe("completed");
    for (const tab of tabs) await tab.close();
    await setHidden(false);
    await page.locator(".runs .status", { hasText: "completed" }).waitFor();
  });

  test("a run that is deleted while it is shown is no longer there, and the page goes on", async () => {
    const { page, faults } = opened;
    await page.locator(".runs a").first().click();
    await page.locator("h1 .status", { hasText: "completed" }).waitFor();
    rmSync(join(world.cli.path, ".sluice/rated"), { recursive: true, maxRetries: 20 });
    await page.getByText(/^There is no run .* of rated among the latest runs/).waitFor();
    await page.locator(".brand").click();
    await page.getByText("No workflow has been run here yet.").waitFor();
    expect(faults).toEqual([]);
  });
});
