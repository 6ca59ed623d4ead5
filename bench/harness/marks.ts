import { formatNumber } from "./results-table.ts";
import type { Mark, Result, Results } from "./row.ts";

export function toResults(results: readonly Result[]): Results {
  const find = (row: string, side: string) => results.find((result) => result.row === row && result.side === side);
  return {
    median: (row, side) => find(row, side)?.median ?? undefined,
    ratio: (row, side) => find(row, side)?.ratio ?? undefined,
  };
}

export interface Verdict {
  readonly label: string;
  readonly mark: string;
  readonly measured: string;
  readonly met: "yes" | "no" | "not measured";
}

/** Whether a mark is met. */
export function judge({ label, unit, atLeast, atMost, below, measured }: Mark, results: Results): Verdict {
  const value = measured(results);
  const bound = below?.(results);
  const marks = [
    ...(atLeast === undefined ? [] : [{ text: `≥ ${atLeast}`, met: (x: number) => x >= atLeast }]),
    ...(atMost === undefined ? [] : [{ text: `≤ ${atMost}`, met: (x: number) => x <= atMost }]),
    ...(bound === undefined ? [] : [{ text: `< ${formatNumber(bound)}`, met: (x: number) => x < bound }]),
  ];
  const suffix = unit === undefined ? "" : ` ${unit}`;
  const unknown = value === undefined || marks.length === 0;
  return {
    label,
    mark: marks.length === 0 ? "-" : `${marks.map(({ text }) => text).join(", ")}${suffix}`,
    measured: value === undefined ? "-" : `${unit === undefined ? value.toFixed(4) : formatNumber(value)}${suffix}`,
    met: unknown ? "not measured" : marks.every(({ met }) => met(value)) ? "yes" : "no",
  };
}
