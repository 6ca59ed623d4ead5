/** The width of output that is not a terminal. */
const WITHOUT_TERMINAL = 200;
/** Some pseudo-terminals do not know their width. */
const UNKNOWN_TERMINAL = 80;

/** How many characters fit on a line of a stream. */
export const widthOf = ({ isTTY, columns }: NodeJS.WriteStream): number =>
  isTTY ? columns || UNKNOWN_TERMINAL : WITHOUT_TERMINAL;

/** The shell's prompt, with an empty line before it. */
const PROMPT_LINES = 2;

/** How many lines a command can print on a stream before the first one scrolls away. `undefined`: the stream is no terminal. */
export const roomOf = ({ isTTY, rows }: Pick<NodeJS.WriteStream, "isTTY" | "rows">): number | undefined =>
  // Some pseudo-terminals do not know their height.
  isTTY && rows > 0 ? Math.max(1, rows - PROMPT_LINES) : undefined;

/** How many lines a text has. */
export const linesOf = (text: string): number => text.split("\n").length;
