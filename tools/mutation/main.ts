import { mkdirSync } from "node:fs";
import { matchesGlob } from "node:path";
import { parseArgs } from "node:util";
import { AREAS, type Area } from "./areas.ts";
import { instrument, type Mutant } from "./mutants.ts";
import { type Entry, pairOf } from "./plan.ts";
import { DIRECTORY, inOwnProcess } from "./process.ts";
import { earlierKills, type Result, report, save, type Verdict } from "./report.ts";

/** Of the tests of other folders, so many run with a mutant: those that run the code of the fewest mutants. */
const MOST_OTHERS = 40;

/** Of the tests that need more CPU time than `SLOW_MILLISECONDS`, so many run with a mutant. */
const MOST_SLOW = 2;
const SLOW_MILLISECONDS = 150;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { survivors: { type: "boolean" } } });

mkdirSync(DIRECTORY, { recursive: true });
for (const area of AREAS.filter(({ folder }) => positionals.length === 0 || positionals.includes(folder))) {
  report(area.folder, await test(area));
}

/** Finds the verdict on each mutant of a folder. */
async function test({ folder, tests, others }: Area): Promise<readonly Result[]> {
  const name = folder.replaceAll("/", "-");
  const { mutants, code } = await instrument(folder);
  const plan = { tests: [...tests, ...others], code, order: [], settled: [], done: [] };
  const coverage = coverageOf(await inOwnProcess(name, 0, plan), tests);
  const verdicts = values.survivors ? earlierKills(folder, mutants) : new Map<string, Verdict>();
  const resultsSoFar = () =>
    mutants.map((mutant) => ({ ...mutant, verdict: verdicts.get(mutant.id) ?? coverage.without(mutant) }));
  const done = new Set<string>();
  const polluters = new Set<string>();
  for (let round = 1; ; round++) {
    const { hits, ticks, order } = coverage;
    const settled = [...verdicts.keys()];
    const entries = await inOwnProcess(name, round, {
      ...plan,
      hits,
      ticks,
      order,
      settled,
      done: [...done],
    });
    for (const entry of entries) {
      if (entry.tag === "killed") verdicts.set(entry.mutant, "killed");
      if (entry.tag === "survived") done.add(pairOf(entry.test, entry.mutant));
      if (entry.tag !== "polluted" || verdicts.has(entry.mutant)) continue;
      // In two processes, the tests failed with the mutant and after it.
      if (polluters.has(entry.mutant)) verdicts.set(entry.mutant, "killed");
      polluters.add(entry.mutant);
    }
    save(folder, resultsSoFar());
    const last = entries.at(-1);
    if (last?.tag === "begin") verdicts.set(last.mutant, "timed out");
    else if (last?.tag !== "polluted") break;
  }
  return resultsSoFar();
}

function coverageOf(entries: readonly Entry[], own: readonly string[]) {
  const broken = entries.filter((entry) => entry.tag === "failed without a mutant");
  if (broken.length > 0) throw new Error(broken.map(({ test, error }) => `${test} fails: ${error}`).join("\n"));
  const tests = entries.filter((entry) => entry.tag === "hits");
  const inside = new Set(tests.flatMap(({ hits }) => Object.keys(hits)));
  const outside = new Set(entries.flatMap((entry) => (entry.tag === "outside" ? entry.mutants : [])));
  const fileOf = (test: string) => test.split(" > ")[0] ?? "";
  const files = Map.groupBy(tests, ({ test }) => fileOf(test));
  const isOwn = (file: string) => own.some((glob) => matchesGlob(file, glob));
  const mean = (of: typeof tests) => of.reduce((sum, { cost }) => sum + cost, 0) / of.length;
  const rank = (file: string, of: typeof tests) => (isOwn(file) ? 0 : 1e9) + mean(of);
  const numbers = new Map<string, number>();
  /** Whether a test need not run with a mutant, because enough others do. */
  const isSpared = (kind: string, mutant: string, most: number) => {
    const number = (numbers.get(`${kind} ${mutant}`) ?? 0) + 1;
    numbers.set(`${kind} ${mutant}`, number);
    return number > most;
  };
  const chosen = tests
    .toSorted((a, b) => Object.keys(a.hits).length - Object.keys(b.hits).length)
    .map(({ test, cost, hits }): [string, Record<string, number>] => {
      const isOther = !isOwn(fileOf(test));
      const isSlow = cost > SLOW_MILLISECONDS;
      const some = Object.entries(hits).filter(
        ([mutant]) =>
          !(isOther && isSpared("other", mutant, MOST_OTHERS)) && !(isSlow && isSpared("slow", mutant, MOST_SLOW)),
      );
      return [test, Object.fromEntries(some)];
    });
  return {
    hits: Object.fromEntries(chosen),
    ticks: Object.fromEntries(tests.map(({ test, ticks }) => [test, ticks])),
    order: [...files].toSorted(([a, of], [b, other]) => rank(a, of) - rank(b, other)).map(([file]) => file),
    /** The verdict on a mutant that no test has killed. */
    without({ id, isText }: Mutant): Verdict {
      if (isText) return "text";
      return inside.has(id) ? "survived" : outside.has(id) ? "outside" : "not covered";
    },
  };
}
