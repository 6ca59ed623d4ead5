import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { PlannedAndMetered } from "./planned-main.ts";

const MAIN = fileURLToPath(new URL("./planned-main.ts", import.meta.url));
const LONGEST_MILLISECONDS = 1_800_000;
const REQUESTS_WITHIN = 0.05;
const TIME_WITHIN = 0.1;

test("sluice plan has the requests of the example workflows within 5 %, and their time within 10 %", {
  timeout: LONGEST_MILLISECONDS,
}, async () => {
  // Virtual time replaces the timers of its whole process.
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN]);
  const lines = stdout.trimEnd().split("\n");
  const runs = lines.map((line) => JSON.parse(line) as PlannedAndMetered);
  expect(runs).toHaveLength(18);
  for (const { name, order, planned, metered } of runs) {
    const which = `${name}, ${order}`;
    expect(metered.items, which).toBe(planned.items);
    expect(Math.abs(planned.seconds / metered.seconds - 1), `${which}: time`).toBeLessThan(TIME_WITHIN);
    expect(Math.abs(planned.requests / metered.requests - 1), `${which}: requests`).toBeLessThan(REQUESTS_WITHIN);
  }
});
