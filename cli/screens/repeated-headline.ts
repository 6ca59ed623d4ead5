/** The shell's prompt, with an empty line before it. */
const PROMPT_LINES = 2;

/**
 * Repeats the headline of a text at its end, if the terminal cannot show the whole text: the first lines have then
 * scrolled away.
 *
 * @param text The lines as they are printed, not longer than the terminal is wide.
 * @param rows The height of the terminal. `undefined`: the output is no terminal.
 */
export function withRepeatedHeadline(text: string, rows: number | undefined): string {
  const lines = text.split("\n");
  if (rows === undefined || lines.length + PROMPT_LINES <= rows) return text;
  const first = lines.findIndex((line) => line !== "");
  if (first === -1) return text;
  // A narrow terminal shows a long headline in several lines, up to the next empty line.
  const end = lines.indexOf("", first);
  return `${text}\n\n${lines.slice(first, end === -1 ? undefined : end).join("\n")}`;
}
