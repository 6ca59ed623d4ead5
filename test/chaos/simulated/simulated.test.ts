import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import type { RunResult } from "../run.ts";
import { MUTANT, SIMULATED_MUTANTS, type SimulatedMutant } from "./mutants.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const PRELOAD = fileURLToPath(new URL("./preload-mutant.ts", import.meta.url));
const PAIRS = fileURLToPath(new URL("../../exploration/preload-pairs.ts", import.meta.url));

/** Simulates seeds in a process of their own, because virtual time replaces the timers of its whole process. */
async function simulate(...args: readonly string[]): Promise<readonly RunResult[]> {
  return await simulated([MAIN, "--json", ...args]);
}

/** Simulates seeds with a mistake in the product. */
async function simulateMutant({ name, seed, isLimited }: SimulatedMutant): Promise<readonly RunResult[]> {
  return await simulated(
    ["--import", PRELOAD, MAIN, "--json", "--seed", String(seed), ...(isLimited ? ["--limited"] : [])],
    { [MUTANT]: name },
  );
}

async function simulated(args: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  const options = { maxBuffer: 2 ** 24, env: { ...process.env, ...variables } };
  // With violations the exit code is 1. The output has them.
  const { stdout } = await promisify(execFile)(process.execPath, args, options).catch((error) => error);
  const lines: readonly string[] = stdout.trimEnd().split("\n");
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

test("in virtual time, runs with many groups of blocks lose nothing", { timeout: LONGEST_MILLISECONDS }, async () => {
  const grouped = await simulated(["--import", PAIRS, MAIN, "--json", "--seed", "3", "--runs", "4"]);
  expect(grouped).toHaveLength(4);
  expect(grouped.flatMap(({ violations }) => violations)).toEqual([]);
});

test("in virtual time, the limit of a rate holds in every window", { timeout: LONGEST_MILLISECONDS }, async () => {
  const limited = await simulate("--limited", "--seed", "14", "--runs", "3");
  expect(limited.flatMap(({ violations }) => violations)).toEqual([]);
  expect(limited.some(({ struck }) => Object.hasOwn(struck, "freeze consumer"))).toBe(true);
});

test("a seed repeats exactly, whatever was simulated before it", { timeout: LONGEST_MILLISECONDS }, async () => {
  const [alone] = await simulate("--seed", "3");
  const before = results.find(({ seed }) => seed === 3);
  expect({ ...alone, directory: "" }).toEqual({ ...before, directory: "" });
});

test.for(SIMULATED_MUTANTS)("finds a mistake: $mistake", { timeout: LONGEST_MILLISECONDS }, async (mutant) => {
  const [result] = await simulateMutant(mutant);
  expect(result?.violations.filter((violation) => mutant.shows.test(violation))).not.toEqual([]);
});
