import { linesOf } from "./terminal-width.ts";

/**
 * Repeats the headline of a text at its end, if the terminal cannot show the whole text: the first lines have then
 * scrolled away.
 *
 * @param text The lines as they are printed, not longer than the terminal is wide.
 * @param room How many lines fit: see `roomOf`. `undefined`: the output is no terminal.
 */
export function withRepeatedHeadline(text: string, room: number | undefined): string {
  if (room === undefined || linesOf(text) <= room) return text;
  const lines = text.split("\n");
  const first = lines.findIndex((line) => line !== "");
  if (first === -1) return text;
  // A narrow terminal shows a long headline in several lines, up to the next empty line.
  const end = lines.indexOf("", first);
  return `${text}\n\n${lines.slice(first, end === -1 ? undefined : end).join("\n")}`;
}
