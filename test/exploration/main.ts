/**
 * Goes through every order of the ledger's steps at small scope: `npm run explore -- --help`.
 */
import { Command, InvalidArgumentError } from "commander";
import type { Exploration } from "./explore.ts";
import { MUTANTS, type Mutant, mutantCalled } from "./mutants.ts";
import { exploreMutant, exploreScope } from "./mutation.ts";
import type { Scope } from "./scope.ts";
import { LONG, SHORT, scopeCalled } from "./scopes.ts";
import { tableOf } from "./table.ts";

interface Options {
  readonly long: boolean;
  readonly scope: Scope | undefined;
  readonly mutants: boolean;
  readonly mutant: Mutant | undefined;
  readonly json: boolean;
  readonly write: boolean;
}

const { long, scope, mutants, mutant, json, write } = new Command("explore")
  .description("Goes through every order of the ledger's steps at small scope, and checks each end.")
  .option("--long", "also the scopes that take minutes", false)
  .option("--scope <name>", "only this scope", named(scopeCalled))
  .option("--mutants", "every known mistake instead, each in one scope: each must be found", false)
  .option("--mutant <name>", "only this mistake", named(mutantCalled))
  .option("--json", "one JSON object a scope", false)
  .option("--write", "put the result into docs/internals/reliability.md", false)
  .parse()
  .opts<Options>();

process.exitCode = mutants || mutant !== undefined ? await findMutants() : await exploreScopes();

async function exploreScopes(): Promise<number> {
  const scopes = scope === undefined ? [...SHORT, ...(long ? LONG : [])] : [scope];
  const explorations: Exploration[] = [];
  for (const each of scopes) {
    const exploration = await exploreScope(each);
    explorations.push(exploration);
    report(each.name, exploration);
  }
  if (!json) console.log(tableOf(explorations));
  if (write) {
    const { writeResult } = await import("../chaos/page.ts");
    writeResult("explore", `npm run explore${long ? " -- --long" : ""}`, tableOf(explorations));
  }
  return explorations.every(({ violation }) => violation === undefined) ? 0 : 1;
}

async function findMutants(): Promise<number> {
  let missed = 0;
  for (const each of mutant === undefined ? MUTANTS : [mutant]) {
    const exploration = await exploreMutant(each);
    report(each.name, exploration);
    if (each.shows.test(exploration.violation?.what ?? "")) continue;
    missed++;
    console.error(`${each.name}: NOT FOUND: ${each.mistake}`);
  }
  return missed === 0 ? 0 : 1;
}

function report(name: string, exploration: Exploration): void {
  if (json) console.log(JSON.stringify({ name, ...exploration }));
  const { violation, states } = exploration;
  console.error(`${name}: ${states} states`);
  if (violation === undefined) return;
  console.error(`${name}: VIOLATED: ${violation.what}`);
  for (const step of violation.path) console.error(`  ${step}`);
}

function named<Thing>(find: (name: string) => Thing): (name: string) => Thing {
  return (name) => {
    try {
      return find(name);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}
