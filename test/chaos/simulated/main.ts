/** Simulates runs under random faults in virtual time, and checks their results: `npm run chaos:simulated -- --help`. */
import { Command, InvalidArgumentError } from "commander";
import { writeResult } from "../page.ts";
import { withLimit } from "../plan.ts";
import type { RunResult } from "../run.ts";
import { tableOf } from "../table.ts";
import { resultsPlanOf, simulatedPlanOf, simulateSeed } from "./simulated-run.ts";

const {
  seed,
  runs,
  results: keepsResults,
  limited,
  json,
  write,
} = new Command("chaos:simulated")
  .description(
    "Simulates runs in virtual time while faults strike, and checks what comes of them. A seed repeats exactly.",
  )
  .option("--seed <number>", "the first seed; alone, only this one is simulated", whole)
  .option("--runs <number>", "how many seeds, from --seed or 1 on", whole)
  .option("--results", "every run keeps results, and the object store has more faults", false)
  .option("--limited", "every run has a limit of its rate, and consumers are frozen", false)
  .option("--json", "one JSON object a run, and at the end one of all", false)
  .option("--write", "put the result into docs/internals/reliability.md", false)
  .parse()
  .opts<{ seed?: number; runs?: number; results: boolean; limited: boolean; json: boolean; write: boolean }>();

const first = seed ?? 1;
const count = runs ?? (seed === undefined ? 100 : 1);
const unlimitedPlanOf = keepsResults ? resultsPlanOf : simulatedPlanOf;
const planOf = (each: number) => (limited ? withLimit(unlimitedPlanOf(each)) : unlimitedPlanOf(each));
const option = `${keepsResults ? " --results" : ""}${limited ? " --limited" : ""}`;
const results: RunResult[] = [];
for (let each = first; each < first + count; each++) {
  const result = await simulateSeed(each, planOf(each));
  results.push(result);
  tell(result);
}
const violated = results.filter(({ violations }) => violations.length > 0).map((result) => result.seed);
if (json) console.log(JSON.stringify({ runs: results.length, violated }));
(json ? console.error : console.log)(tableOf(results));
if (write) {
  const from = first === 1 ? "" : ` --seed ${first}`;
  const name = `chaos:simulated${keepsResults ? ":results" : ""}${limited ? ":limited" : ""}`;
  writeResult(name, `npm run chaos:simulated --${option} --runs ${count}${from}`, tableOf(results));
}
process.exitCode = violated.length === 0 ? 0 : 1;

function tell(result: RunResult): void {
  if (json) console.log(JSON.stringify(result));
  const { seed, status, items, attempts, seconds, violations, struck } = result;
  const strikes = Object.values(struck).reduce((sum, each) => sum + each, 0);
  if (violations.length === 0 && results.length % 100 !== 0 && count > 20) return;
  console.error(
    `${results.length}/${count} seed ${seed}: ${violations.length === 0 ? "ok" : "VIOLATED"}, ${status}, ${items} items, ` +
      `${attempts} attempts, ${strikes} faults, ${seconds.toFixed(1)} s of virtual time`,
  );
  for (const violation of violations) console.error(`  ${violation}`);
  if (violations.length > 0) console.error(`  npm run chaos:simulated --${option} --seed ${seed}`);
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError("It must be a whole number of at least 1.");
}
