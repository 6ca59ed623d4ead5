/** The width of output that is not a terminal. */
const WITHOUT_TERMINAL = 200;
/** Some pseudo-terminals do not know their width. */
const UNKNOWN_TERMINAL = 80;

/** How many characters fit on a line of a stream. */
export const widthOf = ({ isTTY, columns }: NodeJS.WriteStream): number =>
  isTTY ? columns || UNKNOWN_TERMINAL : WITHOUT_TERMINAL;
