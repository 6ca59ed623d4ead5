import { type FailureKind, isPermanent, type Reason } from "../../base/failure.ts";

/** A failed attempt, as far as it decides whether another one follows. */
export interface FailedAttempt {
  readonly kind: FailureKind;
  /** The thrown value, as `toError` returns it. */
  readonly thrown: Error;
}

/**
 * Why no attempt follows a failed one, or `undefined` if another one follows.
 *
 * @param made How many attempts of the item have failed, with this one.
 * @param most The attempts that the workflow gives an item.
 */
export function finalReason({ kind, thrown }: FailedAttempt, made: number, most: number): Reason | undefined {
  if (kind === "invalid") return "invalid item";
  if (isPermanent(thrown)) return "permanent";
  return made >= most ? "exhausted" : undefined;
}
