const SHORTEST = 8;
const LONGEST = 30;
/** The text beside a bar has this much room, where the terminal is wide enough. */
const TEXT = 70;

/** The width of a bar on a terminal of so many columns. It does not depend on the text, so the bar does not jump. */
export const barWidth = (columns: number): number => Math.max(SHORTEST, Math.min(LONGEST, columns - TEXT));
