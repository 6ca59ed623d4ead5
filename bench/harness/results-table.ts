import type { Result } from "./row.ts";

/** The results as a table for a terminal. */
export function table(results: readonly Result[]): string {
  const header = ["row", "side", "median", "spread", "unit", "ratio"];
  const lines = results.map((result) => [
    result.row,
    result.side,
    result.median === null ? (result.note ?? "-") : formatNumber(result.median),
    result.spread === null ? "" : formatNumber(result.spread),
    result.unit,
    result.ratio === null ? "" : result.ratio.toFixed(3),
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...lines].map((line) => line[column]?.length ?? 0)));
  const numeric = new Set([2, 3, 5]);
  const format = (line: readonly string[]) =>
    line
      .map((cell, column) =>
        numeric.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  const separated = lines.map((line, index) => {
    const newRow = index > 0 && lines[index - 1]?.[0] !== line[0];
    return `${newRow ? "\n" : ""}${format(line)}`;
  });
  return [format(header), widths.map((width) => "-".repeat(width)).join("  "), ...separated].join("\n");
}

/** Four digits that count, and no more than a person reads. */
export function formatNumber(value: number): string {
  const magnitude = Math.abs(value);
  const digits = magnitude >= 1_000 ? 0 : magnitude >= 100 ? 1 : magnitude >= 1 ? 2 : 3;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
