/** One command. */
export interface CommandRequest {
  readonly number: number;
  readonly words: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The end of a command. Its output ends with the mark of its number. */
export interface CommandAnswer {
  readonly number: number;
  readonly code: number;
}

/** The last text of a command's standard output and standard error. */
export const markOf = (number: number): string => `\u0000end of command ${number}\u0000`;
