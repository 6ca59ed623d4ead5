import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { columns, WIDE } from "../columns.ts";
import { style } from "../format.ts";
import { ago, errorText, itemText, shortId } from "./dead-letter-text.ts";

/**
 * Dead letters as a table, one per row. Each item stands beside its error, or on a narrow terminal below it.
 *
 * @param isDense Whether each dead letter takes one line: without its item if the terminal is narrow.
 */
export function deadLetterTable(deadLetters: readonly DeadLetter[], width: number, isDense = false): string {
  const dim = (text: string) => style("dim", text);
  const wide = width >= WIDE;
  return columns(
    [
      { header: "ID", paint: (text) => style("bold", text) },
      { header: "REASON", paint: (text) => style("yellow", text) },
      { header: "DIED" },
      { header: "ERROR", grow: 3, lines: isDense ? 1 : 3 },
      ...(wide ? [{ header: "ITEM", grow: 2, lines: isDense ? 1 : 2, paint: dim }] : []),
    ],
    deadLetters.map(({ id, reason, diedAt, error, item }) => [
      shortId(id),
      reason,
      ago(diedAt),
      errorText(error),
      ...(wide ? [itemText(item)] : []),
    ]),
    { width, heading: dim, ...(wide || isDense ? {} : { below: (row) => [itemText(deadLetters[row]?.item)] }) },
  );
}
