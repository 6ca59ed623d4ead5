import { count, style } from "./format.ts";

/**
 * The first lines of a long text, and how many lines were cut.
 *
 * @param most How many lines the text may have, with the line that says how many were cut. `undefined`: any number.
 */
export function firstLines(text: string, most: number | undefined): string {
  const lines = text.split("\n");
  if (most === undefined || lines.length <= most) return text;
  const cut = lines.length - (most - 1);
  return [...lines.slice(0, most - 1), style("dim", `… ${count(cut)} more lines`)].join("\n");
}
