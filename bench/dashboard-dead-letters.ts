/**
 * Measures how the dashboard works with many dead letters: `node bench/dashboard-dead-letters.ts`. It needs Chromium and Linux.
 *
 * The dead letters are in a queue of the embedded SQS, and `sluice ui` shows them in Chromium, as a user sees them. Each step is timed
 * from the click or the key until the page shows its result. The CPU time is that of the server, as the kernel counts it. The longest
 * task is how long the page's main thread was busy without a pause; tasks below 50 ms count as 0: https://developer.mozilla.org/en-US/docs/Web/API/PerformanceLongTaskTiming
 *
 * With `--write`, it writes the table in `docs/internals/dashboard.md`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { launchChromium } from "../test/browser/chromium.ts";
import { openPage } from "../test/browser/dashboard-world.ts";
import { beginDashboard, cpuSeconds, peakMemoryMb, writeTable } from "./harness/dashboard.ts";
import { fillDeadLetterQueue } from "./harness/dead-letter-queue.ts";

const { deadLetters: many, write } = new Command("dashboard-dead-letters")
  .option("--dead-letters <n>", "how many", Number, 100_000)
  .option("--write", "write the table in docs/internals/dashboard.md", false)
  .parse()
  .opts<{ readonly deadLetters: number; readonly write: boolean }>();

const PATIENTLY = 1_800_000;
const text = (value: number) => value.toLocaleString("en-US");

const directory = mkdtempSync(join(tmpdir(), "sluice-dead-letters-"));
const workflow = await fillDeadLetterQueue(directory, many);
const dashboard = await beginDashboard(directory);
const browser = await launchChromium([]);
const lines: (readonly string[])[] = [];
try {
  const { page, context } = await openPage(browser, dashboard.url);
  context.setDefaultTimeout(PATIENTLY);
  await page.getByRole("link", { name: new RegExp(`Failures of ${workflow}`) }).click();
  await page.evaluate(`
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
    }).observe({ type: "longtask" });
  `);

  /** Times what the user does, until the page shows the result. */
  const step = async (name: string, act: () => Promise<unknown>, shown: () => Promise<unknown>) => {
    await page.evaluate("globalThis.longest = 0");
    const before = cpuSeconds(dashboard.pid).own;
    const began = performance.now();
    await act();
    await shown();
    const seconds = (performance.now() - began) / 1_000;
    const cpu = cpuSeconds(dashboard.pid).own - before;
    const longest = Number(await page.evaluate("globalThis.longest"));
    lines.push([name, seconds.toFixed(2), cpu.toFixed(2), longest.toFixed(0)]);
    console.log(`${name}: ${seconds.toFixed(2)} s, CPU ${cpu.toFixed(2)} s, longest task ${longest.toFixed(0)} ms`);
  };
  const heading = (number: number) =>
    page.getByRole("heading", { name: `${text(number)} dead letter${number === 1 ? "" : "s"}`, exact: true }).waitFor();
  const search = page.getByRole("searchbox", { name: "Text" });

  await step(
    "load all",
    () => page.getByRole("button", { name: "Load the dead letters", exact: true }).click(),
    () => heading(many),
  );
  await step(
    "scroll to the end",
    () => page.locator(".letters").evaluate((list) => list.scrollTo(0, list.scrollHeight)),
    () => page.locator(".letter", { hasText: '{"number":0}' }).waitFor(),
  );
  await step(
    "search for one",
    () => search.fill(`"number":${many - 1}}`),
    () => heading(1),
  );
  await step(
    "show all again",
    () => search.fill(""),
    () => heading(many),
  );
  const [cause] = await page.locator(".groups .group-count").allTextContents();
  await step(
    "tick a cause",
    () => page.locator(".groups input").first().check(),
    () => heading(Number(cause?.replaceAll(",", ""))),
  );
  await page.locator(".groups input").first().uncheck();
  await heading(many);
  await step(
    "open one",
    () => page.locator(".letter-text").first().click(),
    () => page.locator(".timeline").waitFor(),
  );
  await step(
    "dry run of all",
    () => page.getByRole("button", { name: "Dry run", exact: true }).click(),
    () => page.locator(".work p", { hasText: /would be sent back|stay/ }).waitFor(),
  );
  await step(
    "purge all, with a backup",
    async () => {
      await page.getByRole("button", { name: `Purge ${text(many)}…`, exact: true }).click();
      await page
        .getByRole("dialog")
        .getByRole("button", { name: `Delete ${text(many)}` })
        .click();
    },
    () => page.getByText(`${text(many)} dead letters were deleted.`).waitFor(),
  );
  const memory = peakMemoryMb(dashboard.pid);
  console.log(`The server used at most ${memory.toFixed(0)} MB.`);
  lines.push(["peak memory of the server", `${memory.toFixed(0)} MB`, "", ""]);
  if (write)
    writeTable(
      "dashboard-dead-letters",
      [`${text(many)} dead letters`, "seconds", "CPU of the server, s", "longest task of the page, ms"],
      lines,
    );
} finally {
  await browser.close();
  await dashboard.end();
  rmSync(directory, { recursive: true, force: true });
}
