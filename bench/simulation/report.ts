import type { Row } from "./judge.ts";

const SIDES = {
  fixed: "fixed slots",
  aimd: "AIMD per environment",
  sdk: "AWS SDK adaptive per environment",
  sluice: "Sluice",
} as const;

/** The table for the documentation. */
export function markdown(rows: readonly Row[]): string {
  const seconds = (value: number | undefined) => (value === undefined ? "" : `${value} s`);
  const lines = rows.map(({ setting, side, fleet, figures, missed }) =>
    [
      setting,
      SIDES[side],
      fleet,
      percent(figures.goodput, 1),
      percent(figures.refused, 2),
      figures.refusedFirst.toFixed(2),
      figures.environments.toFixed(2),
      seconds(figures.downSeconds),
      seconds(figures.upSeconds),
      figures.latency.toFixed(2),
      missed.join(", "),
    ].join(" | "),
  );
  return [
    "| setting | side | fleet | goodput | refused | first 10 s | environments | down | up | latency | marks missed |",
    "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ...lines.map((line) => `| ${line} |`),
  ].join("\n");
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
