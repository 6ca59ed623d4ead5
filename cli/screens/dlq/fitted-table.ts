import { linesOf } from "../terminal-width.ts";

/** Rows as a table, and how many of them it has. */
export interface FittedTable {
  readonly text: string;
  readonly shown: number;
}

/**
 * Draws rows in full if the terminal has room for all of them. Otherwise it draws them dense, and as many as fit: at least
 * one.
 *
 * @param room How many lines the table may have. `undefined`: any number.
 * @param draw Draws rows. Dense rows have the same number of lines each.
 */
export function fittedTable<Row>(
  rows: readonly Row[],
  room: number | undefined,
  draw: (rows: readonly Row[], isDense: boolean) => string,
): FittedTable {
  const whole = draw(rows, false);
  if (room === undefined || linesOf(whole) <= room) return { text: whole, shown: rows.length };
  const dense = draw(rows, true);
  if (linesOf(dense) <= room) return { text: dense, shown: rows.length };
  const linesOfRow = (linesOf(dense) - 1) / rows.length;
  const shown = Math.max(1, Math.floor((room - 1) / linesOfRow));
  return { text: draw(rows.slice(0, shown), true), shown };
}
