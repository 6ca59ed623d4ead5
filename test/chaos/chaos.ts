/**
 * Runs workflows under random faults, and checks their results: `npm run chaos -- --help`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { writeResult } from "./page.ts";
import { planOf, withLimit } from "./plan.ts";
import { type RunResult, runSeed } from "./run.ts";
import { tableOf } from "./table.ts";

interface Options {
  readonly seed: number | undefined;
  readonly runs: number;
  readonly parallel: number;
  readonly results: boolean;
  readonly limited: boolean;
  readonly json: boolean;
  readonly keep: boolean;
  readonly write: boolean;
}

const {
  seed,
  runs,
  parallel,
  results: keepsResults,
  limited,
  json,
  keep,
  write,
} = new Command("chaos")
  .description("Runs workflows on the embedded engine while faults strike, and checks what comes of them.")
  .option("--seed <number>", "the first seed; alone, only this one is run", whole)
  .option("--runs <number>", "how many seeds, from --seed or 1 on", whole)
  .option("--parallel <number>", "runs at once", whole, 2)
  .option("--results", "every run keeps results, and its files are checked", false)
  .option("--limited", "every run has a limit of its rate, and consumers are frozen", false)
  .option("--json", "one JSON object a run, and at the end one of all", false)
  .option("--keep", "keep the directories of all runs, and not only of those with violations", false)
  .option("--write", "put the result into docs/internals/reliability.md", false)
  .parse()
  .opts<Options>();

const first = seed ?? 1;
const count = runs ?? (seed === undefined ? 20 : 1);
const root = mkdtempSync(join(tmpdir(), "sluice-chaos-"));
const option = `${keepsResults ? " --results" : ""}${limited ? " --limited" : ""}`;
const results: RunResult[] = [];
let next = first;

async function work(): Promise<void> {
  while (next < first + count) {
    const each = next++;
    const plan = { ...planOf(each), results: keepsResults };
    const result = await runSeed(each, join(root, `seed-${each}`), { plan: limited ? withLimit(plan) : plan });
    results.push(result);
    if (result.violations.length === 0 && !keep) rmSync(result.directory, { recursive: true, force: true });
    tell(result);
  }
}

function tell(result: RunResult): void {
  if (json) console.log(JSON.stringify(result));
  const { seed, status, items, attempts, seconds, violations, directory } = result;
  const strikes = Object.values(result.struck).reduce((sum, each) => sum + each, 0);
  const verdict = violations.length === 0 ? "ok" : "VIOLATED";
  console.error(
    `${results.length}/${count} seed ${seed}: ${verdict}, ${status}, ${items} items, ${attempts} attempts, ` +
      `${strikes} faults, ${seconds.toFixed(1)} s`,
  );
  for (const violation of violations) console.error(`  ${violation}`);
  if (violations.length > 0) console.error(`  npm run chaos --${option} --seed ${seed}   (left behind: ${directory})`);
}

await Promise.all(Array.from({ length: Math.min(parallel, count) }, work));
const failed = results.filter(({ violations }) => violations.length > 0);
if (json) console.log(JSON.stringify({ runs: results.length, violated: failed.map(({ seed }) => seed) }));
(json ? console.error : console.log)(tableOf(results));
if (write)
  writeResult(
    `chaos${keepsResults ? ":results" : ""}${limited ? ":limited" : ""}`,
    `npm run chaos --${option} --runs ${count}${first === 1 ? "" : ` --seed ${first}`}`,
    tableOf(results),
  );
if (failed.length === 0 && !keep) rmSync(root, { recursive: true, force: true });
process.exitCode = failed.length === 0 ? 0 : 1;

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError("It must be a whole number of at least 1.");
}
