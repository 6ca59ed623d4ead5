import { type Failure, roomForMessage, toFailure } from "../../shared/base/failure.ts";

/** The failure of an attempt that began at the epoch and took a second. */
export const failureOf = (thrown: unknown, attempt = 1): Failure =>
  toFailure(thrown, { attempt, startedAt: 0, endedAt: 1_000 });

/** A failure as long as any is kept, of a character. */
export function longestFailure(attempt: number, character = "x", room?: number): Failure {
  const error = new Error(character.repeat(40_000));
  error.name = character.repeat(40_000);
  error.stack = character.repeat(40_000);
  return toFailure(error, { attempt, startedAt: 0, endedAt: 1_000, ...(room !== undefined && { room }) });
}

/** The failures of so many attempts, each as long as its predecessors leave it room. */
export function longestFailures(attempts: number, character = "x"): readonly Failure[] {
  const failures: Failure[] = [];
  while (failures.length < attempts) {
    failures.push(longestFailure(failures.length + 1, character, roomForMessage(failures, attempts)));
  }
  return failures;
}
