import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { fillPage, placeOf } from "./harness/page.ts";
import { fleetsOf, measureRow, type Row } from "./simulation/judge.ts";
import { environmentsPlot, limitPlot } from "./simulation/limit-plot.ts";
import { line, markdown } from "./simulation/report.ts";
import { FLEETS, SETTINGS } from "./simulation/settings.ts";

interface Options {
  readonly only?: string[];
  readonly seeds: number;
  readonly alone: boolean;
  readonly json: boolean;
  readonly write: boolean;
}

const DOCS = new URL("../docs/internals/", import.meta.url);
const PLOTTED = ["bucket", "parallel", "rate-steps", "parallel-steps", "window", "strict", "tenant"];

await new Command("simulate")
  .description("Simulates fleets that share a service, in virtual time, with the code that controls the limits.")
  .addOption(
    new Option("--only <setting...>", "only these settings (default: all)").choices(SETTINGS.map(({ name }) => name)),
  )
  .option("--seeds <n>", "simulations of each setting and fleet", positiveInteger, 20)
  .option("--alone", "leave out the sides that Sluice is compared with", false)
  .option("--json", "one JSON object for each setting, side and fleet", false)
  .option(
    "--write",
    "write what was measured into the table of docs/internals/limits.md, and the plots beside it",
    false,
  )
  .action(run)
  .parseAsync();

function run({ only, seeds, alone, json, write }: Options): void {
  const settings = SETTINGS.filter(({ name }) => only === undefined || only.includes(name));
  const rows: Row[] = [];
  for (const setting of settings) {
    for (const side of alone ? (["sluice"] as const) : (setting.sides ?? (["sluice"] as const))) {
      // Sides that are refused all the time cost many more events, and vary little.
      const fleets = side === "sluice" ? fleetsOf(setting) : FLEETS.slice(1, 2);
      for (const fleet of fleets) {
        const row = measureRow(setting, side, fleet, side === "sluice" ? seeds : Math.min(3, seeds));
        rows.push(row);
        console.log(json ? JSON.stringify(row) : line(row));
      }
    }
  }
  if (write) {
    const page = new URL("limits.md", DOCS);
    const names = SETTINGS.map(({ name }) => name);
    fillPage(page, new Map([["simulation", markdown(rows, placeOf(page, "simulation"), names)]]));
    for (const setting of settings.filter(({ name }) => PLOTTED.includes(name))) {
      writeFileSync(new URL(`limits-${setting.name}.svg`, DOCS), limitPlot(setting));
      if (setting.name === "bucket") writeFileSync(new URL("limits-environments.svg", DOCS), environmentsPlot(setting));
    }
  }
  if (rows.some(({ missed }) => missed.length > 0)) process.exitCode = 1;
}

function positiveInteger(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError("It must be a whole number of at least 1.");
  return number;
}
