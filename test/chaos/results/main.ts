/** Kills the engine of a run with results, redrives items, and checks the files: `npm run kills:results -- --help`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { writeResult } from "../page.ts";
import { killedResults } from "./killed-results.ts";

interface Options {
  readonly items: string;
  readonly kills: string;
  readonly redrives: string;
  readonly seed: string;
  readonly longest: string;
  readonly write: boolean;
}

const { items, kills, redrives, seed, longest, write } = new Command("kills:results")
  .description("Kills every process of a run with results, redrives items, and checks the files with a Python script.")
  .option("--items <number>", "items of the source", "100000")
  .option("--kills <number>", "SIGKILLs of all processes", "20")
  .option("--redrives <number>", "items that fail until they are redriven", "500")
  .option("--seed <number>", "of the moments and the duplicates", "1")
  .option("--longest <seconds>", "the longest time from the first delivery of an engine to its kill", "15")
  .option("--write", "put the result into docs/internals/reliability.md", false)
  .parse()
  .opts<Options>();

const directory = mkdtempSync(join(tmpdir(), "sluice-results-"));
const result = await killedResults({
  items: Number(items),
  kills: Number(kills),
  redrives: Number(redrives),
  seed: Number(seed),
  longestSeconds: Number(longest),
  directory,
  onStep: (step) => console.error(step),
});
const table = [
  "| items | SIGKILLs of all processes | processes killed | redriven | succeeded | rows in the files | manifests | wrong |",
  "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
  `| ${items} | ${result.kills} | ${result.processes} | ${redrives} | ${result.succeeded} | ${result.rows} | ${result.manifest} | ${result.wrong.join("; ") || "–"} |`,
].join("\n");
console.log(table);
const command = `npm run kills:results -- --items ${items} --kills ${kills} --redrives ${redrives} --seed ${seed}`;
if (write) writeResult("kills-results", command, table);
if (result.wrong.length === 0) rmSync(directory, { recursive: true, force: true });
else console.error(`left behind: ${directory}`);
process.exitCode = result.wrong.length === 0 ? 0 : 1;
