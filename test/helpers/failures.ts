import { type Failure, toFailure } from "../../shared/failure.ts";

/** The failure of an attempt that began at the epoch and took a second. */
export const failureOf = (thrown: unknown, attempt = 1): Failure =>
  toFailure(thrown, { attempt, startedAt: 0, endedAt: 1_000 });

/** A failure as long as any is kept, of a character. */
export function longestFailure(attempt: number, character = "x"): Failure {
  const error = new Error(character.repeat(10_000));
  error.name = character.repeat(10_000);
  error.stack = character.repeat(10_000);
  return failureOf(error, attempt);
}
