/** What the process tells the shell. */
export const EXIT = {
  /** Every item succeeded. */
  succeeded: 0,
  /** The command could not do its work. */
  failed: 1,
  /** The run completed, with dead letters. */
  deadLetters: 2,
  /** Some of what was asked for is done, and it is said what is not. */
  partly: 2,
  /** Of dead letters, none fits the filters. */
  noneFits: 3,
  /** Ended by Ctrl-C: 128 + SIGINT. */
  interrupted: 130,
} as const;
