/**
 * Goes through every order of the ledger's steps at small scope: `npm run explore -- --help`.
 */
import { Command } from "commander";
import { type Exploration, explore } from "./explore.ts";
import { ENDLESS, LONG, SHORT } from "./scopes.ts";
import { tableOf } from "./table.ts";

interface Options {
  readonly long: boolean;
  readonly scope: string | undefined;
  readonly json: boolean;
  readonly write: boolean;
}

const { long, scope, json, write } = new Command("explore")
  .description("Goes through every order of the ledger's steps at small scope, and checks each end.")
  .option("--long", "also the scopes that take minutes", false)
  .option("--scope <name>", "only this one")
  .option("--json", "one JSON object a scope", false)
  .option("--write", "put the result into docs/internals/reliability.md", false)
  .parse()
  .opts<Options>();

const all = [...SHORT, ...LONG, ...ENDLESS];
const scopes = scope === undefined ? [...SHORT, ...(long ? LONG : [])] : all.filter(({ name }) => name === scope);
if (scopes.length === 0) {
  console.error(`there is no scope "${scope}": choose one of\n${all.map(({ name }) => `  ${name}`).join("\n")}`);
  process.exit(1);
}
const explorations: Exploration[] = [];
for (const each of scopes) {
  const exploration = await explore(each);
  explorations.push(exploration);
  if (json) console.log(JSON.stringify(exploration));
  const { violation, states } = exploration;
  console.error(`${each.name}: ${states} states`);
  if (violation === undefined) continue;
  console.error(`${each.name}: VIOLATED: ${violation.what}`);
  for (const step of violation.path) console.error(`  ${step}`);
}
if (!json) console.log(tableOf(explorations));
if (write) {
  const { writeResult } = await import("../chaos/page.ts");
  writeResult("explore", `npm run explore${long ? " -- --long" : ""}`, tableOf(explorations));
}
process.exitCode = explorations.every(({ violation }) => violation === undefined) ? 0 : 1;
