import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { matchesGlob } from "node:path";
import { parseArgs } from "node:util";
import { AREAS, type Area } from "./areas.ts";
import { fileOf, MetPairs } from "./met-pairs.ts";
import { instrument, type Mutant } from "./mutants.ts";
import type { Entry } from "./plan.ts";
import { DIRECTORY, inOwnProcess, isInterrupted } from "./process.ts";
import { earlierResults, isKilled, type Result, readResults, report, save, type Verdict } from "./report.ts";
import { ofSameFiles } from "./same-files.ts";

/**
 * The tests run in passes, and each pass tests the mutants that are left. Most mutants are killed by one of a few cheap tests,
 * so the first pass is short. With one mutant, `most` tests run in a pass at most: those that run the code of the fewest mutants. In the last pass, they
 * are the cheapest ones.
 */
const PASSES = [
  { above: 0, costs: 25, most: 10 },
  { above: 0, costs: 25, most: 150 },
  { above: 25, costs: 150, most: 12 },
  { above: 150, costs: Number.POSITIVE_INFINITY, most: 2 },
] as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Test only the mutants that no test has killed the last time. */
    survivors: { type: "boolean" },
    /** Only the first pass. A mutant that no test has killed then is not tested to the end. */
    quick: { type: "boolean" },
    /** The same, with these test files only: a glob. */
    tests: { type: "string" },
  },
});

mkdirSync(DIRECTORY, { recursive: true });
const commit = execFileSync("git", ["rev-parse", "--short=7", "HEAD"], { encoding: "utf8" }).trim();
for (const area of AREAS.filter(({ folder }) => positionals.length === 0 || positionals.includes(folder))) {
  report(area.folder, await test(area));
  if (isInterrupted) break;
}

/** Finds the verdict on each mutant of a folder. */
async function test({ folder, ...of }: Area): Promise<readonly Result[]> {
  const { tests, others } = values.tests === undefined ? of : { tests: [values.tests], others: [] };
  const name = folder.replaceAll("/", "-");
  const { mutants, code } = await instrument(folder);
  const plan = { tests: [...tests, ...others], code, order: [], settled: [], done: [] };
  const found = await ofSameFiles(name, code, plan.tests, () => inOwnProcess(name, "coverage", plan));
  const coverage = coverageOf(found, tests);
  const order = [...coverage.order];
  const earlier =
    values.survivors || values.tests !== undefined ? earlierResults(folder, mutants) : new Map<string, Result>();
  const verdicts = new Map<string, Verdict>();
  const isSettled = (id: string) => verdicts.has(id) || isKilled(earlier.get(id)?.verdict);
  const resultsWith = (without: (mutant: Mutant) => Verdict) =>
    mutants.map((mutant): Result => {
      const before = earlier.get(mutant.id);
      const found = verdicts.get(mutant.id);
      if (found === undefined && before !== undefined) {
        // Some of the tests cannot show that no test notices a mutant.
        if (isKilled(before.verdict) || values.tests !== undefined) return { ...before, ...mutant };
      }
      return { ...mutant, verdict: found ?? without(mutant), commit };
    });
  const unfinished = (mutant: Mutant) => {
    const verdict = coverage.without(mutant);
    return verdict === "survived" || (verdict === "not covered" && values.tests !== undefined) ? "unfinished" : verdict;
  };
  if (isInterrupted) return readResults(folder);
  const met = new MetPairs(name, code, order);
  const passes = values.quick ? PASSES.slice(0, 1) : PASSES;
  for (const [pass, { above, costs, most }] of passes.entries()) {
    // Who names tests wants each mutant to meet all of them, except for the dearest.
    const isNamed = values.tests !== undefined && Number.isFinite(costs);
    const hits = coverage.hits(above, costs, isNamed ? Number.POSITIVE_INFINITY : most);
    const polluters = new Set<string>();
    for (let round = 1; ; round++) {
      const { ticks } = coverage;
      const settled = mutants.map(({ id }) => id).filter(isSettled);
      const next = { ...plan, hits, ticks, order, settled, done: met.all };
      const entries = await inOwnProcess(name, `${pass + 1}.${round}`, next);
      for (const entry of entries) {
        if (entry.tag === "killed") verdicts.set(entry.mutant, "killed");
        if (entry.tag === "survived") met.add(entry.test, entry.mutant);
        if (entry.tag !== "polluted" || isSettled(entry.mutant)) continue;
        // In two processes, the tests failed with the mutant and after it.
        if (polluters.has(entry.mutant)) verdicts.set(entry.mutant, "killed");
        polluters.add(entry.mutant);
      }
      met.save();
      const last = entries.at(-1);
      if (isInterrupted) return resultsWith(unfinished);
      if (last?.tag === "begin") {
        verdicts.set(last.mutant, "timed out");
        // Each mutant that ends the process costs another one. So the file runs last, with the mutants that are left.
        const file = fileOf(last.test);
        order.push(...order.splice(order.indexOf(file), 1));
      }
      save(folder, resultsWith(unfinished));
      const isLeft = entries.some(({ tag }) => tag === "polluted" || tag === "unfit");
      const isFurther = entries.some(({ tag }) => tag === "killed" || tag === "survived" || tag === "polluted");
      if (last?.tag !== "begin" && !(isLeft && isFurther)) break;
    }
  }
  return resultsWith(values.tests === undefined && !values.quick ? coverage.without : unfinished);
}

function coverageOf(entries: readonly Entry[], own: readonly string[]) {
  const broken = entries.filter((entry) => entry.tag === "failed without a mutant");
  for (const { test, error } of broken) console.error(`left out, because it fails without a mutant: ${test}: ${error}`);
  const failing = new Set(broken.map(({ test }) => test));
  const tests = entries.filter((entry) => entry.tag === "hits").filter(({ test }) => !failing.has(test));
  const inside = new Set(tests.flatMap(({ hits }) => Object.keys(hits)));
  const outside = new Set(entries.flatMap((entry) => (entry.tag === "outside" ? entry.mutants : [])));
  const files = Map.groupBy(tests, ({ test }) => fileOf(test));
  const isOwn = (file: string) => own.some((glob) => matchesGlob(file, glob));
  const mean = (of: typeof tests) => of.reduce((sum, { cost }) => sum + cost, 0) / of.length;
  const rank = (file: string, of: typeof tests) => (isOwn(file) ? 0 : 1e9) + mean(of);
  const byNumberOfMutants = (a: (typeof tests)[number], b: (typeof tests)[number]) =>
    Object.keys(a.hits).length - Object.keys(b.hits).length;
  const byCost = (a: { readonly cost: number }, b: { readonly cost: number }) => a.cost - b.cost;
  /** The mutants with which each test runs in a pass. */
  const hitsOf = (above: number, costs: number, most: number) => {
    const numbers = new Map<string, number>();
    const isEnough = (mutant: string) => {
      const number = (numbers.get(mutant) ?? 0) + 1;
      numbers.set(mutant, number);
      return number > most;
    };
    const chosen = tests
      .filter(({ cost }) => above < cost && cost <= costs)
      .toSorted(Number.isFinite(costs) ? byNumberOfMutants : byCost)
      .map(({ test, hits }): [string, Record<string, number>] => [
        test,
        Object.fromEntries(Object.entries(hits).filter(([mutant]) => !isEnough(mutant))),
      ]);
    return Object.fromEntries(chosen);
  };
  return {
    hits: hitsOf,
    ticks: Object.fromEntries(tests.map(({ test, ticks }) => [test, ticks])),
    order: [...files].toSorted(([a, of], [b, other]) => rank(a, of) - rank(b, other)).map(([file]) => file),
    /** The verdict on a mutant that no test has killed. */
    without({ id, isText }: Mutant): Verdict {
      if (isText) return "text";
      return inside.has(id) ? "survived" : outside.has(id) ? "outside" : "not covered";
    },
  };
}
