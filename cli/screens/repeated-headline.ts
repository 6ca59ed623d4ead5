/** The shell's prompt, with an empty line before it. */
const PROMPT_LINES = 2;

/**
 * Repeats the headline of a text as its last line, if the terminal cannot show the whole text: the first lines have then
 * scrolled away.
 *
 * @param text The lines as they are printed, not longer than the terminal is wide.
 * @param rows The height of the terminal. `undefined`: the output is no terminal.
 */
export function withRepeatedHeadline(text: string, rows: number | undefined): string {
  const lines = text.split("\n");
  const headline = lines.find((line) => line !== "");
  if (rows === undefined || headline === undefined || lines.length + PROMPT_LINES <= rows) return text;
  return `${text}\n\n${headline}`;
}
