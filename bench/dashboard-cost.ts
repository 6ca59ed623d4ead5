/**
 * Measures what the dashboard costs a run: `node bench/dashboard-cost.ts`. It needs Chromium and Linux.
 *
 * The workflow `seconds` runs alone and with an open page, in turn. Every second pair begins with the page, so that a machine that
 * becomes slower does not favour one side. CPU time is that of the processes of the run, as the kernel counts it when they have ended,
 * and, with the page, also that of the dashboard's server. Chromium's own time is the user's, and is not counted. It fails if the page
 * costs more than 3 % of a core in the median of the pairs.
 *
 * With `--write`, it writes the table in `docs/internals/dashboard.md`.
 */
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { launchChromium } from "../test/browser/chromium.ts";
import { openPage } from "../test/browser/dashboard-world.ts";
import { begin, beginDashboard, cpuSeconds, writeTable } from "./harness/dashboard.ts";
import { median } from "./harness/statistics.ts";

const MOST_PERCENT = 3;

const { pairs, write } = new Command("dashboard-cost")
  .option("--pairs <n>", "how many runs of each kind", Number, 5)
  .option("--write", "write the table in docs/internals/dashboard.md", false)
  .parse()
  .opts<{ readonly pairs: number; readonly write: boolean }>();

const root = fileURLToPath(new URL("..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "sluice-cost-"));
cpSync(join(root, "workflows"), join(directory, "workflows"), { recursive: true });
for (const name of ["shared", "node_modules"]) symlinkSync(join(root, name), join(directory, name));
writeFileSync(join(directory, "package.json"), '{ "name": "example", "type": "module" }\n');

interface Cost {
  /** CPU time of all processes of the run, in seconds. */
  readonly run: number;
  /** CPU time of the dashboard's server while the run worked. */
  readonly server: number;
  /** How long the run took, in seconds. */
  readonly wall: number;
}

/** Runs the workflow to its end. */
async function run(): Promise<Omit<Cost, "server">> {
  const before = cpuSeconds("self").ofEndedChildren;
  const began = performance.now();
  const child = begin(directory, "run", "seconds", "--fresh");
  child.stdout?.resume();
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`the run ended with ${code}`);
  return { run: cpuSeconds("self").ofEndedChildren - before, wall: (performance.now() - began) / 1_000 };
}

const runAlone = async (): Promise<Cost> => ({ ...(await run()), server: 0 });

/** Opens the page of the latest run, and then that of the run that begins. */
async function runWithPage(): Promise<Cost> {
  const dashboard = await beginDashboard(directory);
  const browser = await launchChromium([]);
  try {
    const { page } = await openPage(browser, dashboard.url);
    await page.locator(".runs a").first().click();
    const before = cpuSeconds(dashboard.pid).own;
    const [cost] = await Promise.all([
      run(),
      (async () => {
        await page.locator(".brand").click();
        await page.locator(".runs .status", { hasText: "running" }).waitFor();
        await page.locator(".runs a").first().click();
        await page.locator("canvas").first().waitFor();
      })(),
    ]);
    return { ...cost, server: cpuSeconds(dashboard.pid).own - before };
  } finally {
    await browser.close();
    await dashboard.end();
  }
}

const lines: (readonly string[])[] = [];
/** In percent of a core. */
const costs: number[] = [];
try {
  // The page shows a run from its first moment on.
  await run();
  for (let pair = 0; pair < pairs; pair++) {
    const first = pair % 2 === 0 ? await runAlone() : await runWithPage();
    const second = pair % 2 === 0 ? await runWithPage() : await runAlone();
    const [alone, withPage] = pair % 2 === 0 ? [first, second] : [second, first];
    const percent = (100 * (withPage.run + withPage.server - alone.run)) / withPage.wall;
    costs.push(percent);
    const cells = [alone.run, withPage.run, withPage.server, withPage.wall].map((seconds) => seconds.toFixed(2));
    lines.push([String(pair + 1), ...cells, percent.toFixed(1)]);
    console.log(
      `Pair ${pair + 1}: CPU of a run alone ${cells[0]} s, with a page ${cells[1]} s, of the server ${cells[2]} s. ` +
        `The run took ${cells[3]} s. The page costs ${percent.toFixed(1)} % of a core.`,
    );
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
const cost = median(costs);
console.log(`In the median, an open page costs ${cost.toFixed(1)} % of a core; at most ${MOST_PERCENT} % are allowed.`);
lines.push(["median", "", "", "", "", cost.toFixed(1)]);
if (write) {
  const header = [
    "pair",
    "CPU of a run alone, s",
    "… with a page, s",
    "CPU of the server, s",
    "the run took, s",
    "cost, % of a core",
  ];
  writeTable("dashboard-cost", header, lines);
}
if (cost > MOST_PERCENT) process.exitCode = 1;
