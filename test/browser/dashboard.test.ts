import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seriousViolations } from "./axe.ts";
import { CHROMIUM, launchChromium } from "./chromium.ts";
import { DashboardWorld, type OpenPage, openPage } from "./dashboard-world.ts";

describe.skipIf(CHROMIUM === undefined)("The dashboard of this machine", () => {
  let browser: Browser;
  let world: DashboardWorld;
  let opened: OpenPage;

  beforeAll(async () => {
    browser = await launchChromium([]);
    world = new DashboardWorld("repairable");
    await world.start();
    opened = await openPage(browser, world.url);
  });

  afterAll(async () => {
    await browser?.close();
    await world?.kill();
    world?.[Symbol.dispose]();
  });

  const open = () => writeFileSync(join(world.cli.path, "open"), "");

  test("the URL has no token after it was opened", () => {
    expect(opened.page.url()).toBe(`${world.origin}/`);
  });

  test("a run is started, watched, paused, resumed and watched to its end", async () => {
    const { page } = opened;
    await page.getByText("Start a run").click();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.locator(".status", { hasText: "running" }).waitFor();
    await page.locator(".runs a").first().click();
    await page
      .getByText("18 done")
      .or(page.locator(".legend", { hasText: "18 done" }))
      .first()
      .waitFor();
    await page.locator(".legend", { hasText: "4 in flight" }).first().waitFor();

    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByText(/is paused/).waitFor();
    // The tasks in flight can now finish. No other task begins.
    open();
    await page.locator("h1 .status", { hasText: "paused" }).waitFor();
    await page.getByRole("button", { name: "Resume", exact: true }).waitFor();
    expect(await page.locator(".legend").first().textContent()).toContain("pending");
    expect(await seriousViolations(page)).toEqual([]);

    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.locator("h1 .status", { hasText: "completed" }).waitFor();
    await page.locator(".legend", { hasText: "54 done" }).first().waitFor();
    await page.locator("canvas").nth(3).waitFor();
    expect(await page.locator("canvas").count()).toBe(4);
    await page.getByRole("button", { name: "Show the first rows" }).click();
    await page.getByText("54 rows").waitFor();
    const download = page.waitForEvent("download");
    await page.getByText("Download CSV").click();
    expect((await download).suggestedFilename()).toMatch(/^results-repairable-.*\.csv$/);
  });

  test("hostile items are shown, and nothing of them runs", async () => {
    const { page, faults } = opened;
    await page.getByRole("link", { name: /Failures of repairable/ }).click();
    await page.getByRole("button", { name: "Load the dead letters", exact: true }).click();
    await page.getByRole("heading", { name: "10 dead letters" }).waitFor();
    for (const text of ["<script>", "<img src=x", "\\u001b[31m"]) {
      await page.locator(".letter-text", { hasText: text }).first().click();
      await page.locator(".timeline").waitFor();
      await page.locator(".tree", { hasText: text }).waitFor();
    }
    await page.locator(".letter-text", { hasText: "xxxxxxxx" }).first().click();
    await page.getByText("The item is too large to be edited here").waitFor();
    expect(await page.evaluate("globalThis.hacked")).toBeUndefined();
    expect(faults).toEqual([]);
    await page.keyboard.press("Escape");
  });

  test("a group is edited, checked and redriven until the counts have moved", async () => {
    const { page, faults } = opened;
    await page.locator(".groups li", { hasText: "there is no country XX" }).getByRole("checkbox").check();
    await page.getByRole("heading", { name: "6 dead letters" }).waitFor();
    const set = page.getByLabel("Set values in each item");
    await set.fill('country="FRANCE"');
    const check = page.getByRole("button", { name: "Show the changes" });
    await check.click();
    await page.getByText("6 items of 6 change, 6 fail the schema.").waitFor();

    await set.fill('country="FR"');
    await check.click();
    await page.getByText("6 items of 6 change, 0 fail the schema.").waitFor();
    await page.locator(".diff ins", { hasText: '"country": "FR"' }).first().waitFor();
    expect(await seriousViolations(page)).toEqual([]);

    await page.getByRole("button", { name: "Dry run", exact: true }).click();
    await page.getByText("6 dead letters would be sent back, 6 of them with a changed item.").waitFor();
    await page.getByRole("button", { name: "Redrive 6…", exact: true }).click();
    const dialog = page.getByRole("dialog");
    expect(await dialog.textContent()).toMatch(
      /npx sluice dlq redrive --error \w+ --set 'country="FR"' --workflow repairable/,
    );
    await dialog.getByRole("button", { name: "Redrive", exact: true }).click();
    await page.locator(".run-line .legend", { hasText: "60 done" }).waitFor();
    await page.locator(".run-line .legend", { hasText: "4 dead" }).waitFor();
    expect(world.cli.read(".sluice/.dashboard/audit.jsonl")).toContain('"kind":"redrive"');
    expect(faults).toEqual([]);
  });

  test("one item is edited with a diff and redriven, and the others stay", async () => {
    const { page } = opened;
    await page.locator(".groups li").first().waitFor();
    for (const box of await page.locator(".groups input:checked").all()) await box.uncheck();
    await page.getByLabel("Set values in each item").fill("");
    await page.locator(".letter-text", { hasText: "<script>" }).first().click();
    await page.getByRole("button", { name: "Edit the item" }).click();
    const item = page.getByLabel("The new item, as JSON");
    await item.fill((await item.inputValue()).replace('"YY"', '"IT"'));
    await page.locator(".diff del", { hasText: '"YY"' }).waitFor();
    await page.getByRole("button", { name: "Check against the schema" }).click();
    await page.getByText("The item passes the schema.").waitFor();
    await page.getByRole("button", { name: "Redrive 1…", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Redrive", exact: true }).click();
    await page.locator(".run-line .legend", { hasText: "61 done" }).waitFor();
    await page.locator(".run-line .legend", { hasText: "3 dead" }).waitFor();
  });

  test("the rest is exported, and purged after a backup", async () => {
    const { page } = opened;
    await page.getByRole("heading", { name: "3 dead letters" }).waitFor();
    const download = page.waitForEvent("download");
    await page.getByText("Export 3").click();
    expect((await download).suggestedFilename()).toBe("dead-letters-repairable.jsonl");
    await page.getByRole("button", { name: "Purge 3…", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete 3", exact: true }).click();
    await page.getByText(/3 dead letters were deleted\. They are in .*dead-letters-repairable-.*\.jsonl/).waitFor();
  });

  test("a page says that the server was killed, and comes back when it runs again", async () => {
    const { page } = opened;
    await world.kill();
    await page.getByText("The connection to the server is lost.").waitFor();
    const { origin } = world;
    await world.start();
    expect(world.origin).toBe(origin);
    await page.getByText("The connection to the server is lost.").waitFor({ state: "detached" });
    await page.locator(".run-line .legend", { hasText: "61 done" }).waitFor();
  });

  test.each([380, 1024] as const)("at %d px nothing is cut off, in both themes", async (width) => {
    for (const theme of ["light", "dark"] as const) {
      const { page, context } = await openPage(browser, world.url, { width, theme });
      await page.locator(".runs a").first().waitFor();
      for (const link of [".brand", ".runs a"]) {
        await page.locator(link).first().click();
        await page.locator("h1").waitFor();
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
        expect(await seriousViolations(page)).toEqual([]);
      }
      await context.close();
    }
  });
});
