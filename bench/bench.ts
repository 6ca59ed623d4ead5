import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { barChart } from "./harness/bar-chart.ts";
import { machine } from "./harness/machine.ts";
import { judge, toResults } from "./harness/marks.ts";
import { measure } from "./harness/measure.ts";
import {
  belongsTo,
  fillPage,
  type Measurements,
  marksTable,
  merge,
  pivotTable,
  readMeasurements,
  resultsTable,
} from "./harness/page.ts";
import { table } from "./harness/results-table.ts";
import type { Result, Row } from "./harness/row.ts";
import { ROWS } from "./rows.ts";

interface Options {
  readonly only?: string[];
  readonly rounds?: number;
  readonly quick: boolean;
  readonly json: boolean;
  readonly write: boolean;
}

const RESULTS = new URL("./results.json", import.meta.url);
const DOCS = new URL("../docs/internals/", import.meta.url);
/** Where plots go that no page shows. */
const SCRATCH = new URL("../.sluice/bench/", import.meta.url);

await new Command("bench")
  .description("Measures Sluice against its peers: each side in turn, in a fresh process, several rounds.")
  .addOption(new Option("--only <row...>", "only these rows (default: all)").choices(ROWS.map(({ name }) => name)))
  .option("--rounds <n>", "rounds of each (default: as the row says)", positiveInteger)
  .option("--quick", "short runs, to see that all works: their numbers mean little", false)
  .option("--json", "one JSON object for each row and side", false)
  .option("--write", "keep the results, and write them into docs/internals/performance.md with their plots", false)
  .action(bench)
  .parseAsync();

async function bench({ only, rounds, quick, json, write }: Options): Promise<void> {
  if (quick && write) throw new Error("--quick measures too little to be written down: leave out --write");
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const rows = ROWS.filter(({ name }) => only === undefined || only.includes(name));
  const results: Result[] = [];
  let measurements = readMeasurements(RESULTS);
  for (const row of rows) {
    const ofRow: Result[] = [];
    for (const each of row.cases(quick ? "quick" : "full")) ofRow.push(...(await measure(each, { rounds, say })));
    results.push(...ofRow);
    measurements = merge(measurements, row.name, ofRow, { at: new Date().toISOString(), machine: machine() });
    // Row by row: what was measured is kept though a later one fails.
    if (write) keep(measurements);
  }
  if (json) for (const result of results) console.log(JSON.stringify(result));
  else {
    console.log(`\n${machine()}\n\n${table(results)}\n`);
    const verdicts = rows.flatMap(({ marks }) => marks.map((mark) => judge(mark, toResults(results))));
    for (const { label, mark, measured, met } of verdicts)
      console.log(`${met.padEnd(12)}  ${label}: ${measured} (${mark})`);
  }
  const directory = write ? DOCS : SCRATCH;
  const written = plot(rows, results, directory);
  if (written > 0) say(`\n${written === 1 ? "1 plot is" : `${written} plots are`} in ${fileURLToPath(directory)}`);
}

function keep(measurements: Measurements): void {
  writeFileSync(RESULTS, `${JSON.stringify(measurements, null, 2)}\n`);
  const { results, measured } = measurements;
  const verdicts = ROWS.flatMap(({ marks }) => marks.map((mark) => judge(mark, toResults(results))));
  const contents = new Map([["marks", marksTable(verdicts)]]);
  for (const { name, pivot } of ROWS) {
    const when = measured[name];
    if (when === undefined) continue;
    const ofRow = results.filter(({ row }) => belongsTo(row, name));
    const rows = pivot === undefined ? resultsTable(ofRow) : pivotTable(ofRow, pivot);
    contents.set(name, `${rows}\n\nMeasured ${when.at.slice(0, 10)} on ${when.machine}.`);
  }
  fillPage(new URL("performance.md", DOCS), contents);
}

/** Draws the rows' plots. Returns how many there were. */
function plot(rows: readonly Row[], results: readonly Result[], directory: URL): number {
  mkdirSync(directory, { recursive: true });
  let written = 0;
  for (const each of rows.flatMap(({ plots }) => plots)) {
    const chart = barChart(each, results);
    if (chart === undefined) continue;
    writeFileSync(new URL(each.file, directory), chart);
    written++;
  }
  return written;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError("It must be a whole number of at least 1.");
}
