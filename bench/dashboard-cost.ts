/**
 * Measures what the dashboard costs a run: `node bench/dashboard-cost.ts [pairs]`. It needs Chromium and Linux.
 *
 * The workflow `seconds` runs alone and with an open page, in turn. CPU time is that of the processes of the run, as the kernel
 * counts it when they have ended, and, with the page, also that of the dashboard's server. Chromium's own time is the user's, and
 * is not counted. It fails if the page costs more than 3 % of a core in the median.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { launchChromium } from "../test/browser/chromium.ts";
import { openPage } from "../test/browser/dashboard-world.ts";

const MOST_PERCENT = 3;
/** The kernel counts in these, on all architectures of Linux that Node supports: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const TICKS_PER_SECOND = 100;

const root = fileURLToPath(new URL("..", import.meta.url));
const [, , pairs = "3"] = process.argv;
const directory = mkdtempSync(join(tmpdir(), "sluice-cost-"));
cpSync(join(root, "workflows"), join(directory, "workflows"), { recursive: true });
for (const name of ["shared", "node_modules"]) symlinkSync(join(root, name), join(directory, name));
writeFileSync(join(directory, "package.json"), '{ "name": "example", "type": "module" }\n');

const begin = (...words: readonly string[]): ChildProcess =>
  spawn(process.execPath, ["--no-warnings", join(root, "cli/sluice.ts"), ...words, "--json"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
  });

/** Seconds of CPU time of a process, and of its children that have ended. */
function cpuSeconds(pid: number | "self"): { readonly own: number; readonly ofEndedChildren: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name of the process, in brackets, may have blanks.
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) / TICKS_PER_SECOND, ofEndedChildren: (childUser + childSystem) / TICKS_PER_SECOND };
}

/** Runs the workflow to its end. Returns the CPU time of all its processes, and how long it took. */
async function run(): Promise<{ readonly cpu: number; readonly wall: number }> {
  const before = cpuSeconds("self").ofEndedChildren;
  const began = performance.now();
  const child = begin("run", "seconds", "--fresh");
  child.stdout?.resume();
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`the run ended with ${code}`);
  return { cpu: cpuSeconds("self").ofEndedChildren - before, wall: (performance.now() - began) / 1_000 };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const alone: number[] = [];
const withPage: number[] = [];
const server: number[] = [];
const walls: number[] = [];
try {
  for (let pair = 0; pair < Number(pairs); pair++) {
    const first = await run();
    alone.push(first.cpu);
    const dashboard = begin("ui", "--no-open");
    const [line] = await once(createInterface({ input: dashboard.stdout as NodeJS.ReadableStream }), "line");
    const browser = await launchChromium([]);
    const { page } = await openPage(browser, (JSON.parse(String(line)) as { readonly url: string }).url);
    await page.locator(".runs a").first().click();
    const pid = dashboard.pid ?? 0;
    const before = cpuSeconds(pid).own;
    // The page of the latest run is open, and then that of the run that begins.
    const [second] = await Promise.all([
      run(),
      (async () => {
        await page.locator(".brand").click();
        await page.locator(".runs .status", { hasText: "running" }).waitFor({ timeout: 300_000 });
        await page.locator(".runs a").first().click();
        await page.locator("canvas").first().waitFor({ timeout: 300_000 });
      })(),
    ]);
    server.push(cpuSeconds(pid).own - before);
    withPage.push(second.cpu);
    walls.push(second.wall);
    await browser.close();
    dashboard.kill("SIGTERM");
    await once(dashboard, "exit");
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
const wall = median(walls);
const ofServer = (100 * median(server)) / wall;
const ofRun = (100 * (median(withPage) - median(alone))) / wall;
const show = (values: readonly number[]) => values.map((value) => value.toFixed(2)).join(" ");
console.log(`CPU time of a run alone       ${show(alone)} s`);
console.log(`CPU time of a run with a page ${show(withPage)} s`);
console.log(`CPU time of the server        ${show(server)} s`);
console.log(
  `The run took ${wall.toFixed(1)} s. Server: ${ofServer.toFixed(1)} % of a core. Run: ${ofRun.toFixed(1)} % more.`,
);
const all = ofServer + ofRun;
console.log(`The open page costs ${all.toFixed(1)} % of a core; at most ${MOST_PERCENT} % are allowed.`);
if (all > MOST_PERCENT) process.exitCode = 1;
