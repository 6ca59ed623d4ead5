import { cpSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviourOf } from "../../workflows/cities-service/behaviour.ts";
import { loadCities } from "../../workflows/cities-service/dataset.ts";
import { CliWorld } from "../helpers/cli.ts";
import { CHROMIUM, launchChromium } from "./chromium.ts";
import { type OpenPage, openPage } from "./dashboard-world.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What kills the fifteen cities, and how many each cause kills. */
const CAUSES = [
  ['the service answered 500: {"error":"the record cannot be read"}', 5],
  ["the attempt did not settle within 2 s", 3],
  ["expected number, received string", 2],
  ["expected number, received undefined", 2],
  ["the service answered 404", 2],
  ["the service answered 410", 1],
] as const;

/** What the README promises a person who types one command, and then only uses the browser. */
describe.skipIf(CHROMIUM === undefined)("npm start -- --ui", () => {
  const world = new CliWorld();
  let browser: Browser;
  let opened: OpenPage;

  beforeAll(async () => {
    // The checkout, except that the run's state and the workflow are in another directory.
    for (const name of readdirSync(ROOT)) {
      if (name === "workflows") cpSync(join(ROOT, name), join(world.path, name), { recursive: true });
      else if (!name.startsWith(".")) symlinkSync(join(ROOT, name), join(world.path, name));
    }
    browser = await launchChromium([]);
    const command = world.beginProgram("npm", "start", "--", "--ui");
    let printed = "";
    for (const stream of [command.process.stdout, command.process.stderr])
      stream?.on("data", (text: string) => {
        printed += text;
      });
    await command.printed("?token=");
    const [url = ""] = /http:\/\/\S+\?token=[\w-]+/.exec(printed) ?? [];
    opened = await openPage(browser, url);
  });

  afterAll(async () => {
    await browser?.close();
    world[Symbol.dispose]();
  });

  test("shows the run of the cities live, until it has completed", async () => {
    const { page, faults } = opened;
    await page.locator(".runs a").first().click();
    await page.locator("h1 .status", { hasText: "running" }).waitFor();
    await page.locator("canvas").first().waitFor();
    // The page notes itself which numbers of done items it shows.
    await page.evaluate(`
      globalThis.seen = new Set();
      const note = () => globalThis.seen.add(document.querySelector("section[aria-label=Progress] .legend b")?.textContent);
      new MutationObserver(note).observe(document.querySelector("main"), { subtree: true, childList: true, characterData: true });
    `);
    await page.locator("h1 .status", { hasText: "completed" }).waitFor();
    await page.locator(".legend", { hasText: "4,985 done" }).first().waitFor();
    await page.locator(".legend", { hasText: "15 dead" }).first().waitFor();
    // It shows more than the beginning and the end.
    expect(Number(await page.evaluate("globalThis.seen.size"))).toBeGreaterThan(3);
    expect(faults).toEqual([]);
  });

  test("shows why each of the fifteen cities died", async () => {
    const { page, faults } = opened;
    await page.getByRole("link", { name: "See why 15 items died" }).click();
    await page.getByRole("button", { name: "Load the dead letters", exact: true }).click();
    await page.getByRole("heading", { name: "15 dead letters" }).waitFor();
    const causes = page.locator(".groups li");
    expect(await causes.count()).toBe(CAUSES.length);
    for (const [cause, cities] of CAUSES) {
      const group = causes.filter({ hasText: cause });
      expect([cause, await group.locator(".group-count").textContent()]).toEqual([cause, String(cities)]);
      await group.getByRole("checkbox").check();
      const heading = cities === 1 ? "1 dead letter" : `${cities} dead letters`;
      await page.getByRole("heading", { name: heading, exact: true }).waitFor();
      await page.locator(".letter-text").first().click();
      const panel = page.getByRole("complementary", { name: "One dead letter" });
      await panel.locator(".error.whole", { hasText: cause }).first().waitFor();
      await panel.locator(".timeline").waitFor();
      await panel.locator(".tree", { hasText: "country" }).waitFor();
      await panel.getByRole("button", { name: "Close" }).click();
      await group.getByRole("checkbox").uncheck();
      await page.getByRole("heading", { name: "15 dead letters" }).waitFor();
    }
    expect(faults).toEqual([]);
  });

  test("lets a person fix the cities, and shows how the counts move", async () => {
    const { page, faults } = opened;
    const healthy = (await loadCities()).find(({ id }) => behaviourOf(id).kind === "answers");
    await page.getByLabel("Set values in each item").fill(`id="${healthy?.id}"`);
    const check = page.getByRole("button", { name: "Show the changes" });
    await check.click();
    await page.getByText("15 items of 15 change, 15 fail the schema.").waitFor();
    await page.getByLabel("Set values in each item").fill(`id=${healthy?.id}`);
    await check.click();
    await page.getByText("15 items of 15 change, 0 fail the schema.").waitFor();
    await page.getByRole("button", { name: "Redrive 15…", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Redrive", exact: true }).click();
    const counts = page.locator(".run-line .legend");
    await counts.filter({ hasText: "0 dead" }).waitFor();
    await counts.filter({ hasText: "5,000 done" }).waitFor();
    await page.locator(".run-line .status", { hasText: "completed" }).waitFor();
    await page.locator(".run-line a").click();
    await page.getByRole("button", { name: "Show the first rows" }).click();
    await page.getByText("5,000 rows").waitFor();
    expect(faults).toEqual([]);
  });
});
