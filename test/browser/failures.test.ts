import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { Place } from "../../ui/server/place.ts";
import { PrivateFiles } from "../../ui/server/private-files.ts";
import { type Dashboard, startDashboard } from "../../ui/server/server.ts";
import { emptyOverview, fakePlace } from "../helpers/fake-place.ts";
import { someDeadLetter } from "../helpers/some-dead-letter.ts";
import { CHROMIUM, launchChromium } from "./chromium.ts";
import { type OpenPage, openPage } from "./dashboard-world.ts";

const CAUSES = ["no route to host", "there is no country XX"] as const;
const deadLetter = (number: number): DeadLetter => {
  const cause = number % CAUSES.length;
  const message = CAUSES[cause] ?? "";
  return someDeadLetter(number, {
    item: { number, country: "XX" },
    error: { name: "Error", message },
    fingerprint: { id: `0000000${cause}`, text: `Error: ${message}` },
  });
};

describe.skipIf(CHROMIUM === undefined)("The page of the failures", () => {
  let browser: Browser;
  let directory: string;
  let dashboard: Dashboard;
  let opened: OpenPage;
  /** The dead-letter queue. */
  let queue: Map<string, DeadLetter>;
  let refused: ReadonlySet<string>;
  let heldLoad: Promise<void> | undefined;

  const place = (): Place =>
    fakePlace({
      get overview() {
        const workflows = [{ workflow: "cities", name: "cities", running: true, deadLetters: queue.size }];
        return { ...emptyOverview, workflows };
      },
      load: async ({ see, signal }) => {
        const stopped = new Promise((resolve) => signal.addEventListener("abort", resolve));
        await Promise.race([heldLoad, stopped]);
        for (const each of queue.values()) see(each);
        return { message: `${queue.size} dead letters loaded.` };
      },
      redrive: async ({ selects, dryRun }) => {
        const chosen = [...queue.values()].filter(selects).map(({ id }) => id);
        const gone = chosen.filter((id) => !refused.has(id));
        if (!dryRun) for (const id of gone) queue.delete(id);
        const stay = chosen.filter((id) => refused.has(id));
        return {
          message: `${gone.length} sent back.`,
          gone: dryRun ? [] : gone,
          refusals: stay.map((id) => ({ id, message: "the item fails the schema" })),
        };
      },
    });

  beforeAll(async () => {
    browser = await launchChromium([]);
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    queue = new Map([0, 1, 2, 3, 4, 5].map(deadLetter).map((each) => [each.id, each]));
    refused = new Set();
    heldLoad = undefined;
    directory = mkdtempSync(join(tmpdir(), "sluice-test-"));
    dashboard = await startDashboard({ place: place(), files: new PrivateFiles(directory) });
    opened = await openPage(browser, dashboard.url);
    await opened.page.getByRole("link", { name: /Failures of cities/ }).click();
  });
  afterEach(async () => {
    expect(opened.faults).toEqual([]);
    await opened.context.close();
    await dashboard?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const load = async () => {
    await opened.page.getByRole("button", { name: "Load the dead letters", exact: true }).click();
    await opened.page.getByRole("heading", { name: "6 dead letters" }).waitFor();
  };
  const tick = (number: number) =>
    opened.page.getByRole("checkbox", { name: `item {"number":${number},` }).setChecked(true);
  const redrive = async (name: string) => {
    await opened.page.getByRole("button", { name, exact: true }).click();
    await opened.page.getByRole("dialog").getByRole("button", { name: "Redrive", exact: true }).click();
  };

  test("two redrives with the same words, one after the other, both leave the list", async () => {
    const { page } = opened;
    await load();
    await tick(0);
    await redrive("Redrive 1…");
    await page.getByRole("heading", { name: "5 dead letters" }).waitFor();
    await tick(1);
    await redrive("Redrive 1…");
    await page.getByRole("heading", { name: "4 dead letters" }).waitFor();
    expect(queue.size).toBe(4);
  });

  test("a dead letter that was refused keeps its edit and its tick, and those that were sent lose them", async () => {
    const { page } = opened;
    await load();
    for (const number of [0, 1]) {
      await page.locator(".letter-text", { hasText: `{"number":${number},` }).click();
      await page.getByRole("button", { name: "Edit the item" }).click();
      const item = page.getByLabel("The new item, as JSON");
      await item.fill((await item.inputValue()).replace("XX", `Y${number}`));
    }
    refused = new Set([deadLetter(1).id]);
    await redrive("Redrive 2…");
    await page.getByRole("heading", { name: "5 dead letters" }).waitFor();
    await page.getByText("Why dead letters stay").waitFor();
    await page.getByText("1 ticked dead letter, 1 item edited.").waitFor();
    // It stays also while the user looks at another page.
    await page.getByRole("link", { name: "Runs", exact: true }).click();
    await page.getByText("No workflow has been run here yet.").waitFor();
    await page.getByRole("link", { name: /Failures of cities/ }).click();
    expect(await page.getByLabel("The new item, as JSON").inputValue()).toContain('"country": "Y1"');
    expect(await page.locator(".letter .badge").count()).toBe(1);
  });

  test("a late answer to an earlier filter does not replace the answer to a later one", async () => {
    const { page } = opened;
    await load();
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route(/text=country/, async (route) => {
      await released;
      await route.continue();
    });
    const asked = page.waitForRequest(/text=country/);
    const answered = page.waitForResponse(/text=country/);
    await page.getByRole("searchbox", { name: "Text" }).fill("country");
    await asked;
    await page.getByRole("searchbox", { name: "Text" }).fill('"number":2');
    await page.getByRole("heading", { name: "1 dead letter", exact: true }).waitFor();
    release();
    await (await answered).finished();
    // The page has handled the answer when it has handled a later one.
    await page.locator(".letter-text").first().click();
    await page.locator(".timeline, .item .muted").first().waitFor();
    expect(await page.locator(".letter").count()).toBe(1);
    expect(await page.getByRole("heading", { name: "1 dead letter", exact: true }).count()).toBe(1);
  });

  test("a ticked cause stays ticked while a text hides it", async () => {
    const { page } = opened;
    await load();
    await page.locator(".groups li", { hasText: "no route" }).getByRole("checkbox").check();
    await page.getByRole("heading", { name: "3 dead letters" }).waitFor();
    await page.getByRole("searchbox", { name: "Text" }).fill("there is no");
    await page.getByText("No dead letter matches the filters.").waitFor();
    await page.getByRole("searchbox", { name: "Text" }).fill("");
    await page.getByRole("heading", { name: "3 dead letters" }).waitFor();
    expect(await page.locator(".groups li", { hasText: "no route" }).getByRole("checkbox").isChecked()).toBe(true);
  });

  test("a rate that is no number stops a redrive, and is not taken for no limit", async () => {
    const { page } = opened;
    await load();
    const send = page.getByRole("button", { name: "Redrive 6…", exact: true });
    const dryRun = page.getByRole("button", { name: "Dry run", exact: true });
    const rate = page.getByLabel("At most, per second");
    for (const wrong of ["5/s", "0", "-1", "200000"]) {
      await rate.fill(wrong);
      await page.getByText("The rate must be a number").waitFor();
      expect([await send.isDisabled(), await dryRun.isDisabled()]).toEqual([true, true]);
    }
    await rate.fill("0.5");
    await page.getByText("The rate must be a number").waitFor({ state: "detached" });
    expect(await send.isDisabled()).toBe(false);
  });

  test("a server that ended during a load and is started again has no load under way, and edits are still there", async () => {
    const { page } = opened;
    await load();
    await page.locator(".letter-text", { hasText: '{"number":0,' }).click();
    await page.getByRole("button", { name: "Edit the item" }).click();
    await page.getByLabel("The new item, as JSON").fill("{}");
    heldLoad = new Promise(() => {});
    await page.getByRole("button", { name: "Load again", exact: true }).click();
    await page.getByRole("progressbar").waitFor();
    await dashboard.close();
    await page.getByText("The connection to the server is lost.").waitFor();
    heldLoad = undefined;
    dashboard = await startDashboard({ place: place(), files: new PrivateFiles(directory) });
    await page.getByText("The connection to the server is lost.").waitFor({ state: "detached" });
    await page.getByText("Load them to see why the items died.").waitFor();
    expect(await page.getByRole("progressbar").count()).toBe(0);
    await load();
    await page.getByText("1 ticked dead letter, 1 item edited.").waitFor();
  });
});
