import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { RunResult } from "../run.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

/** Simulates seeds in a process of their own, because virtual time replaces the timers of its whole process. */
async function simulate(...args: readonly string[]): Promise<readonly RunResult[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, "--json", ...args], { maxBuffer: 2 ** 24 });
  const lines = stdout.trimEnd().split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as RunResult);
}

test("ten seeds: nothing is lost, and nothing counted twice", { timeout: 300_000 }, async () => {
  const results = await simulate("--seed", "1", "--runs", "10");
  expect(results.flatMap(({ violations }) => violations)).toEqual([]);
  expect(results).toHaveLength(10);
  const struck = new Set(results.flatMap((result) => Object.keys(result.struck)));
  for (const kind of ["producer", "consumer", "engine"]) expect(struck).toContain(`kill ${kind}`);
});

test("a seed repeats exactly, whatever was simulated before it", { timeout: 300_000 }, async () => {
  const [, second] = await simulate("--seed", "2", "--runs", "2");
  const [alone] = await simulate("--seed", "3");
  expect({ ...alone, directory: "" }).toEqual({ ...second, directory: "" });
});
