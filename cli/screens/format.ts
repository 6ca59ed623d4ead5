import { styleText } from "node:util";
import { oneLine } from "./printable.ts";

/** A number with its thousands: "135,233". */
// `toLocaleString` loads the data of all locales, which takes 20 ms of CPU time.
export const count = (value: number): string => String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ",");

/** A duration: "4.2 s", "3 min 20 s", "2 h 5 min". */
export function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 120) return `${whole} s`;
  if (whole < 7_200) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A time of day in this machine's zone; with its date if that is not today. */
export function timeOf(milliseconds: number, now = Date.now()): string {
  const date = new Date(milliseconds);
  const time = date.toLocaleTimeString("en-GB");
  return date.toDateString() === new Date(now).toDateString() ? time : `${date.toLocaleDateString("en-CA")} ${time}`;
}

/** A number with its noun: "1 dead letter", "15 dead letters". */
export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

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
