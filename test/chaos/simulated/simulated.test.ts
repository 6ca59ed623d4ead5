import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import type { RunResult } from "../run.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

/** Simulates seeds in a process of their own, because virtual time replaces the timers of its whole process. */
async function simulate(...args: readonly string[]): Promise<readonly RunResult[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, "--json", ...args], { maxBuffer: 2 ** 24 });
  const lines = stdout.trimEnd().split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as RunResult);
}

const SEEDS = 12;

/** Only a process that hangs needs longer, on the busiest machine too. */
const LONGEST_MILLISECONDS = 1_800_000;

let results: readonly RunResult[];
beforeAll(async () => {
  results = await simulate("--seed", "1", "--runs", String(SEEDS));
}, LONGEST_MILLISECONDS);

test(`in virtual time, ${SEEDS} seeds lose nothing and count nothing twice`, () => {
  expect(results.flatMap(({ violations }) => violations)).toEqual([]);
  expect(results).toHaveLength(SEEDS);
  const struck = new Set(results.flatMap((result) => Object.keys(result.struck)));
  for (const kind of ["producer", "consumer", "engine"]) expect(struck).toContain(`kill ${kind}`);
});

test("a seed repeats exactly, whatever was simulated before it", { timeout: LONGEST_MILLISECONDS }, async () => {
  const [alone] = await simulate("--seed", "3");
  const before = results.find(({ seed }) => seed === 3);
  expect({ ...alone, directory: "" }).toEqual({ ...before, directory: "" });
});
