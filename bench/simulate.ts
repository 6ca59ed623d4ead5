import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { fillPage } from "./harness/page.ts";
import { fleetsOf, measureRow, type Row } from "./simulation/judge.ts";
import { line, markdown } from "./simulation/report.ts";
import { FLEETS, type NamedSetting, SECONDS, SETTINGS, settingOf } from "./simulation/settings.ts";
import { type SideName, simulate } from "./simulation/simulate.ts";
import { timePlot } from "./simulation/time-plot.ts";

interface Options {
  readonly only?: string[];
  readonly seeds: number;
  readonly alone: boolean;
  readonly json: boolean;
  readonly write: boolean;
}

const DOCS = new URL("../docs/internals/", import.meta.url);
const PLOTTED = ["bucket", "rate-steps", "parallel-steps", "window", "strict", "tenant"];

await new Command("simulate")
  .description("Simulates fleets that share a service, in virtual time, with the code that controls the limits.")
  .addOption(
    new Option("--only <setting...>", "only these settings (default: all)").choices(SETTINGS.map(({ name }) => name)),
  )
  .option("--seeds <n>", "simulations of each setting and fleet", positiveInteger, 20)
  .option("--alone", "leave out the sides that Sluice is compared with", false)
  .option("--json", "one JSON object for each setting, side and fleet", false)
  .option("--write", "write the table and the plots into docs/internals/limits.md", false)
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
    fillPage(new URL("limits.md", DOCS), new Map([["simulation", markdown(rows)]]));
    for (const setting of settings.filter(({ name }) => PLOTTED.includes(name))) plot(setting);
  }
  if (rows.some(({ missed }) => missed.length > 0)) process.exitCode = 1;
}

/** Plots one run over time: what is accepted and refused, beside the limit. */
function plot(setting: NamedSetting): void {
  const [, fleet] = FLEETS;
  if (fleet === undefined) return;
  const slots = fleet.environments * fleet.slots;
  const of = (side: SideName) => simulate(settingOf(setting, fleet, "exponential"), side, 1);
  const { metrics, service } = of("sluice");
  const bySecond = (values: readonly number[]) => Array.from({ length: SECONDS }, (_, second) => values[second] ?? 0);
  const limit = Array.from({ length: SECONDS }, (_, second) =>
    service.ideal(second * 1_000, second * 1_000 + 1_000, slots),
  );
  const svg = timePlot(
    `${setting.title.replaceAll("`", "")}: 10 environments of 10 slots`,
    "1/s",
    [
      { name: "limit", values: limit, colour: "#57606a", isDashed: true },
      { name: "accepted", values: bySecond(metrics.acceptedBySecond), colour: "#0072b2" },
      { name: "refused", values: bySecond(metrics.refusedBySecond), colour: "#d55e00" },
    ],
    1.25 * Math.max(...limit),
  );
  writeFileSync(new URL(`limits-${setting.name}.svg`, DOCS), svg);
}

function positiveInteger(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError("It must be a whole number of at least 1.");
  return number;
}
