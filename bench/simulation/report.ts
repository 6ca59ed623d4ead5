import type { Row } from "./judge.ts";

const SIDES = {
  fixed: "fixed slots",
  aimd: "AIMD per environment",
  sdk: "AWS SDK adaptive per environment",
  sluice: "Sluice",
} as const;

const HEAD = [
  "| setting | side | fleet | seeds | goodput | refused | first 10 s | environments | down | up | latency | marks missed |",
  "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
];

/** The cells of a line that say what was measured. */
const keyOf = (tableLine: string): string => tableLine.split("|").slice(1, 4).join("|");

/**
 * The table for the documentation.
 *
 * @param before The table as it is now. Its lines stay if nothing was measured in their place.
 * @param settings The names of all settings, in the order of the table.
 */
export function markdown(rows: readonly Row[], before: string, settings: readonly string[]): string {
  const lines = new Map(
    before
      .split("\n")
      .filter((each) => each.startsWith("| ") && !HEAD.includes(each))
      .map((each) => [keyOf(each), each]),
  );
  for (const row of rows) {
    const measured = tableLine(row);
    lines.set(keyOf(measured), measured);
  }
  const settingOf = (each: string) => settings.indexOf(each.split("|")[1]?.trim() ?? "");
  const sorted = [...lines.values()].sort((a, b) => settingOf(a) - settingOf(b));
  return [...HEAD, ...sorted].join("\n");
}

function tableLine({ setting, side, fleet, seeds, figures, missed }: Row): string {
  const seconds = (value: number | undefined) => (value === undefined ? "" : `${value} s`);
  const cells = [
    setting,
    SIDES[side],
    fleet,
    `${seeds}`,
    percent(figures.goodput, 1),
    percent(figures.refused, 2),
    figures.refusedFirst.toFixed(2),
    figures.environments.toFixed(2),
    seconds(figures.downSeconds),
    seconds(figures.upSeconds),
    figures.latency.toFixed(2),
    missed.join(", "),
  ];
  return `| ${cells.join(" | ")} |`;
}

/** One line for a terminal. */
export function line({ setting, side, fleet, figures, missed }: Row): string {
  const { goodput, refused, refusedFirst, environments, downSeconds, upSeconds, latency, timeouts } = figures;
  return [
    setting.padEnd(15),
    side.padEnd(7),
    fleet.padEnd(9),
    `goodput ${percent(goodput, 1)}`,
    `refused ${percent(refused, 2)}`,
    `first 10 s ${refusedFirst.toFixed(2)} × slots`,
    `environments ${environments.toFixed(2)}`,
    ...(downSeconds === undefined ? [] : [`down ${downSeconds} s`]),
    ...(upSeconds === undefined ? [] : [`up ${upSeconds} s`]),
    `latency × ${latency.toFixed(2)}`,
    ...(timeouts > 0 ? [`timeouts ${timeouts}`] : []),
    ...(missed.length > 0 ? [`MISSED: ${missed.join(", ")}`] : []),
  ].join("  ");
}

const percent = (part: number, digits: number): string => `${(100 * part).toFixed(digits)} %`;
