import { styleText } from "node:util";
import { oneLine } from "./printable.ts";

export { count, plural, seconds, timeOf } from "../../shared/observe/text.ts";

type Style = Parameters<typeof styleText>[0];

/** Styles a text if the stream is a terminal with colours. Elsewhere, and with NO_COLOR, the text stays plain. */
export const style = (format: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  styleText(format, text, { stream });

/** A source's warning on one line. Its text may come from another service. */
export const warningLine = (warning: string): string => `${style("yellow", "warning")} ${oneLine(warning)}`;

/** Rows as columns. The first `left` columns are aligned to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[], indent = "  ", left = 1): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) => {
      const cells = row.map((cell, column) =>
        column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      );
      return `${indent}${cells.join("  ")}`.trimEnd();
    })
    .join("\n");
}
