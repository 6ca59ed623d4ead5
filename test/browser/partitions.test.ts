import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VALID_MILLISECONDS } from "../../shared/consumer/run-watch.ts";
import { seriousViolations } from "./axe.ts";
import { CHROMIUM, launchChromium } from "./chromium.ts";
import { DashboardWorld, type OpenPage, openPage } from "./dashboard-world.ts";

describe.skipIf(CHROMIUM === undefined)("The dashboard of a source with partitions", () => {
  let browser: Browser;
  let world: DashboardWorld;
  let opened: OpenPage;

  beforeAll(async () => {
    browser = await launchChromium([]);
    world = new DashboardWorld("parted");
    await world.start();
    opened = await openPage(browser, world.url);
  });

  afterAll(async () => {
    await browser?.close();
    await world?.kill();
    world?.[Symbol.dispose]();
  });

  const touch = (name: string) => writeFileSync(join(world.cli.path, name), "");
  const startRun = async () => {
    const { page } = opened;
    if (!(await page.getByRole("button", { name: "Start", exact: true }).isVisible()))
      await page.getByText("Start a run").click();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.locator(".runs a").first().click();
  };

  test("each partition has its name, its progress, and the reason why it failed", async () => {
    const { page, faults } = opened;
    await startRun();
    const row = (name: string) => page.locator(".partitions tbody tr", { hasText: name });
    await row("eu-west").getByText("read to its end").waitFor();
    expect(await row("eu-west").locator(".number").allTextContents()).toEqual(["1", "4"]);
    await row("us-east").getByText("read to its end").waitFor();
    await row("<b>asia</b>")
      .getByText('partition "<b>asia</b>": the source threw: no rights for this region')
      .waitFor();
    await page.getByText("3 partitions").waitFor();
    await page.getByRole("combobox", { name: "Show" }).selectOption("failed or being read");
    await row("eu-west").waitFor({ state: "detached" });
    expect(await page.locator(".partitions tbody tr").count()).toBe(1);
    expect(await seriousViolations(page)).toEqual([]);
    expect(faults).toEqual([]);
  });

  test("a resumed run reads the partition that failed", async () => {
    const { page } = opened;
    await page.getByRole("combobox", { name: "Show" }).selectOption("all partitions");
    touch("open");
    await page.locator("h1 .status", { hasText: "failed" }).waitFor();
    await page.locator(".note", { hasText: "no rights for this region" }).first().waitFor();
    touch("repaired");
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.locator("h1 .status", { hasText: "completed" }).waitFor();
    await page.locator(".partitions tbody tr", { hasText: "all items settled" }).nth(2).waitFor();
    await page.locator(".legend", { hasText: "12 done" }).waitFor();
  });

  test("the log of the run is shown, and its errors alone", async () => {
    const { page, faults } = opened;
    await page.getByRole("button", { name: "Show the log" }).click();
    const lines = page.getByRole("region", { name: "Lines of the log" });
    await lines.getByText("greeted").first().waitFor();
    expect(await lines.textContent()).toContain("<b>asia</b> 1");
    expect(await page.locator(".log-part .command code").textContent()).toMatch(/^npx sluice logs \d{8}-\d{6}-\w+$/);
    await page.getByLabel("Only errors").check();
    await page.getByRole("button", { name: "Read the log again" }).click();
    await lines.getByText("greeted").first().waitFor({ state: "detached" });
    expect(await page.locator(".log-part .command code").textContent()).toContain(" --error");
    expect(await seriousViolations(page)).toEqual([]);
    expect(faults).toEqual([]);
  });

  test("a run is cancelled after a confirmation: tasks in flight finish, and the rest is dropped", async () => {
    const { page, faults } = opened;
    rmSync(join(world.cli.path, "open"), { force: true });
    await page.locator(".brand").click();
    await page.getByText("Start a run").click();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.locator(".runs tr", { hasText: "running" }).locator("a").first().click();
    await page.locator(".legend", { hasText: "4 in flight" }).waitFor();
    await page.locator(".legend", { hasText: "8 pending" }).waitFor();
    const cancel = page.getByRole("button", { name: "Cancel…" });
    const dialog = page.getByRole("dialog");
    await cancel.click();
    expect(await dialog.textContent()).toMatch(/npx sluice cancel \d{8}-\d{6}-\w+/);
    expect(await seriousViolations(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Do nothing" }).click();
    await dialog.waitFor({ state: "detached" });
    expect(world.cli.read(".sluice/.dashboard/audit.jsonl")).not.toContain("cancel");

    await cancel.click();
    await dialog.getByRole("button", { name: "Cancel the run" }).click();
    await page.locator("h1 .status", { hasText: "cancelling" }).waitFor();
    // Until then, a consumer may begin a task because it has asked for the run's status before the cancel.
    await setTimeout(VALID_MILLISECONDS);
    touch("open");
    await page.locator("h1 .status", { hasText: "cancelled" }).waitFor();
    await page.locator(".legend", { hasText: "4 done" }).waitFor();
    await page.locator(".legend", { hasText: "8 cancelled" }).waitFor();
    expect(world.cli.read(".sluice/.dashboard/audit.jsonl")).toMatch(/"command":"cancel".*"event":"ended"/);
    expect(faults).toEqual([]);
  });
});
