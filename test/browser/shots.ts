/**
 * Writes the screenshots of the documentation: `npm run ui:shots`. It runs the workflow `cities`, and shows its run and its
 * failures at three widths in both themes. It needs Chromium.
 *
 * `npm run ui:shots -- DIRECTORY` writes every page in full to another directory, with its dialogs, to look at.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { CHROMIUM, launchChromium } from "./chromium.ts";
import { openPage } from "./dashboard-world.ts";
import { toWebp } from "./webp.ts";

const SIZES = [
  { width: 1280, height: 860 },
  { width: 768, height: 900 },
  { width: 380, height: 800 },
] as const;
const THEMES = ["light", "dark"] as const;

const root = fileURLToPath(new URL("../..", import.meta.url));
const [, , review] = process.argv;
const images = review === undefined ? join(root, "docs/images/dashboard") : resolve(review);
if (CHROMIUM === undefined) process.exit(1);

const directory = mkdtempSync(join(tmpdir(), "sluice-shots-"));
cpSync(join(root, "workflows"), join(directory, "workflows"), { recursive: true });
for (const name of ["shared", "node_modules"]) symlinkSync(join(root, name), join(directory, name));
writeFileSync(join(directory, "package.json"), '{ "name": "example", "type": "module" }\n');
mkdirSync(images, { recursive: true });

const child = spawn(process.execPath, ["--no-warnings", join(root, "cli/sluice.ts"), "ui", "--json", "--no-open"], {
  cwd: directory,
  stdio: ["ignore", "pipe", "inherit"],
});
const [line] = await once(createInterface({ input: child.stdout }), "line");
const { url } = JSON.parse(String(line)) as { readonly url: string };
const browser = await launchChromium([]);
try {
  const { page } = await openPage(browser, url);
  await page.getByText("Start a run").click();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.locator(".runs a").first().click();
  await page.locator("h1 .status", { hasText: "running" }).waitFor();
  // A third of the run, so that the charts have something to show.
  await page.locator(".facts dd", { hasText: /^(3[5-9]|[4-9]\d) %$/ }).waitFor();
  await shoot("run", async (shown) => {
    await shown.locator(".runs a").first().click();
    await shown.locator("canvas").first().waitFor();
  });
  await page.locator("h1 .status", { hasText: "completed" }).waitFor();
  await shoot("runs", async (shown) => {
    await shown.locator(".runs a").first().waitFor();
  });
  await page.getByRole("link", { name: /Failures of cities/ }).click();
  await page.getByRole("button", { name: "Load the dead letters", exact: true }).click();
  await page.locator(".groups").waitFor();
  await shoot("failures", async (shown) => {
    await shown.getByRole("link", { name: /Failures of cities/ }).click();
    await shown.locator(".letter-text", { hasText: "500" }).first().click();
    await shown.locator(".timeline").waitFor();
    await shown.locator("h2", { hasText: "Causes" }).scrollIntoViewIfNeeded();
    await shown.evaluate("document.querySelector('.groups').scrollIntoView()");
  });
  if (review !== undefined) await shootDetails();
} finally {
  await browser.close();
  child.kill("SIGTERM");
  await once(child, "exit");
  rmSync(directory, { recursive: true, force: true });
}

/** The states that the documentation does not show. */
async function shootDetails(): Promise<void> {
  const openFailures = async (shown: Page) => {
    await shown.getByRole("link", { name: /Failures of cities/ }).click();
    await shown.locator(".letter-text").first().click();
    await shown.locator(".timeline").waitFor();
  };
  await shoot("ended", async (shown) => {
    await shown.locator(".runs a").first().click();
    await shown.getByRole("button", { name: "Show the log" }).click();
    await shown.locator(".log").waitFor();
    await shown.getByRole("button", { name: "Show the first rows" }).click();
    await shown.locator("section[aria-label=Results] table").waitFor();
  });
  await shoot("edit", async (shown) => {
    await openFailures(shown);
    await shown.getByRole("button", { name: "Edit the item" }).click();
    const item = shown.getByLabel("The new item, as JSON");
    await item.fill((await item.inputValue()).replace(/"name": "/, '"name": "New '));
    await shown.getByRole("button", { name: "Check against the schema" }).click();
    await shown.locator(".edit [role=status].note").waitFor();
  });
  await shoot("dialog", async (shown) => {
    await openFailures(shown);
    await shown.getByRole("button", { name: /^Purge/ }).click();
    await shown.getByRole("dialog").waitFor();
  });
}

/** Shows something at each width and in each theme, and keeps the picture. */
async function shoot(name: string, show: (page: Page) => Promise<void>): Promise<void> {
  for (const size of SIZES) {
    for (const theme of THEMES) {
      const { page, context } = await openPage(browser, url, { ...size, theme });
      await show(page);
      const path = join(images, `${name}-${size.width}-${theme}`);
      if (review === undefined) writeFileSync(`${path}.webp`, await toWebp(browser, await page.screenshot()));
      else await page.screenshot({ path: `${path}.png`, fullPage: name !== "dialog" });
      await context.close();
    }
  }
}
