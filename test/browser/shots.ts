/**
 * Writes the screenshots of the documentation: `npm run ui:shots`. It runs the workflow `cities`, and shows its run and its
 * failures at three widths in both themes. It needs Chromium.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { CHROMIUM, launchChromium } from "./chromium.ts";
import { openPage } from "./dashboard-world.ts";
import { toWebp } from "./webp.ts";

const SIZES = [
  { width: 1280, height: 860 },
  { width: 1024, height: 768 },
  { width: 380, height: 800 },
] as const;
const THEMES = ["light", "dark"] as const;

const root = fileURLToPath(new URL("../..", import.meta.url));
const images = join(root, "docs/images/dashboard");
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
  page.setDefaultTimeout(300_000);
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
} finally {
  await browser.close();
  child.kill("SIGTERM");
  await once(child, "exit");
  rmSync(directory, { recursive: true, force: true });
}

/** Shows something at each width and in each theme, and keeps the picture. */
async function shoot(name: string, show: (page: Page) => Promise<void>): Promise<void> {
  for (const size of SIZES) {
    for (const theme of THEMES) {
      const { page, context } = await openPage(browser, url, { ...size, theme });
      await show(page);
      const path = join(images, `${name}-${size.width}-${theme}.webp`);
      writeFileSync(path, await toWebp(browser, await page.screenshot()));
      await context.close();
    }
  }
}
