/** The exit codes of the commands. */
export const EXIT = {
  /** Every item succeeded, or the command did its work. */
  succeeded: 0,
  /** The command failed. */
  failed: 1,
  /** The run completed, with dead letters. */
  deadLetters: 2,
  /** The command did a part of its work, and said which part it did not do. */
  partly: 2,
  /** There are dead letters, but none matches the filters. */
  noneMatches: 3,
  /** The user pressed Ctrl-C: 128 + SIGINT. */
  interrupted: 130,
} as const;
