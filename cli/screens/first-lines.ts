import { count, style } from "./format.ts";
import { wrapLine } from "./wrap.ts";

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

/** A text whose lines are broken at a width. Lines that fit stay as they are. */
export const brokenAt = (text: string, width: number): string =>
  text
    .split("\n")
    .flatMap((line) => (line.length <= width ? [line] : wrapLine(line, width)))
    .join("\n");
