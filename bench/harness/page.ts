import { readFileSync, writeFileSync } from "node:fs";
import type { Verdict } from "./marks.ts";
import { formatNumber } from "./results-table.ts";
import type { Result } from "./row.ts";

/** What is kept of the measurements that a page shows: `bench/results.json`. */
export interface Measurements {
  /** Of each row, when and on what it was measured. */
  readonly measured: Readonly<Record<string, { readonly at: string; readonly machine: string }>>;
  readonly results: readonly Result[];
}

export function readMeasurements(file: URL): Measurements {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { measured: {}, results: [] };
  }
}

/** The measurements with rows measured anew. */
export function merge(
  before: Measurements,
  row: string,
  results: readonly Result[],
  measured: { readonly at: string; readonly machine: string },
): Measurements {
  const others = before.results.filter(({ row: each }) => !belongsTo(each, row));
  return { measured: { ...before.measured, [row]: measured }, results: [...others, ...results] };
}

/** The rows of one `--only` begin with its name. */
export const belongsTo = (resultRow: string, row: string): boolean => resultRow.startsWith(`${row} `);

/**
 * Fills a page's marked places: what stands between `<!-- bench:NAME -->` and `<!-- /bench -->` is replaced by the
 * content of that name. A place whose content is missing keeps what it had.
 */
export function fillPage(file: URL, contents: ReadonlyMap<string, string>): void {
  const page = readFileSync(file, "utf8");
  const filled = page.replaceAll(
    /(<!-- bench:(.+?) -->\n)[\s\S]*?(<!-- \/bench -->)/g,
    (place, open: string, name: string, close: string) => {
      const content = contents.get(name);
      return content === undefined ? place : `${open}\n${content}\n\n${close}`;
    },
  );
  writeFileSync(file, filled);
}

/** What stands in a page's marked place. Empty if the page has no such place. */
export function placeOf(file: URL, name: string): string {
  const [, after = ""] = readFileSync(file, "utf8").split(`<!-- bench:${name} -->`);
  return after.split("<!-- /bench -->")[0] ?? "";
}

export function resultsTable(results: readonly Result[]): string {
  const lines = results.map(({ row, side, median, spread, unit, ratio, note }) => [
    row,
    side,
    median === null ? (note ?? "–") : formatNumber(median),
    spread === null ? "" : formatNumber(spread),
    unit,
    ratio === null ? "" : ratio.toFixed(3),
  ]);
  return markdownTable(["row", "side", "median", "spread", "unit", "ratio"], lines, [2, 3, 5]);
}

/** Results of which each metric is a row of the table, and each case with its side a column. */
export function pivotTable(results: readonly Result[], metrics: readonly string[]): string {
  const columns = new Map<string, Map<string, string>>();
  for (const { row, side, median } of results) {
    const metric = metrics.find((each) => row.endsWith(` ${each}`));
    if (metric === undefined || median === null) continue;
    const column = `${row.slice(0, -metric.length - 1)}: ${side}`;
    columns.set(column, (columns.get(column) ?? new Map()).set(metric, formatNumber(median)));
  }
  const lines = metrics.map((metric) => [metric, ...[...columns.values()].map((cells) => cells.get(metric) ?? "0")]);
  const numeric = [...columns.keys()].map((_, index) => index + 1);
  return markdownTable(["", ...columns.keys()], lines, numeric);
}

export function marksTable(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(({ label, mark, measured, met }) => [label, mark, measured, met]);
  return markdownTable(["what", "mark", "measured", "met"], lines, [1, 2]);
}

export function markdownTable(
  header: readonly string[],
  lines: readonly (readonly string[])[],
  numeric: readonly number[],
) {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = header.map((_, column) => (numeric.includes(column) ? "---:" : "---"));
  return [line(header), line(rule), ...lines.map(line)].join("\n");
}
