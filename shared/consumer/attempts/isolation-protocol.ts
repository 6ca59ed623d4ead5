import { type AskedWait, askedWaitOf, WAIT } from "../../base/asked-wait.ts";
import type { FailureKind } from "../../base/failure.ts";
import type { TaskContext } from "../../base/task.ts";
import { describeThrown } from "../../base/thrown.ts";
import type { AttemptOutcome } from "./attempt.ts";

/** Set in the process that runs one attempt alone. */
export const ISOLATED = "SLUICE_ISOLATED";

/** What the consumer asks of its process. */
export interface IsolatedRequest {
  /** The item, as `toStoredText` writes it: the channel between the processes takes JSON alone, which has no bigints. */
  readonly itemText: string;
  readonly context: Omit<TaskContext, "signal" | "logger">;
  readonly timeoutMilliseconds: number;
}

/** What it answers: `undefined` first, when it is ready. An error crosses as its parts, so that none is lost. */
export type IsolatedAnswer =
  | { readonly tag: "ready" }
  | { readonly tag: "succeeded" }
  | { readonly tag: "failed"; readonly kind: FailureKind; readonly error: PlainError };

export interface PlainError {
  readonly name: string;
  readonly message: string;
  /** Empty if the error has no stack. */
  readonly stack: string;
  /** Of `PermanentError`. */
  readonly code: string | undefined;
  /** Of `Throttled` and `RetryLater`. */
  readonly wait?: AskedWait | undefined;
}

export function toAnswer(outcome: AttemptOutcome): IsolatedAnswer {
  if (outcome.tag === "succeeded") return { tag: "succeeded" };
  const { code } = outcome.thrown as Error & { code?: unknown };
  return {
    tag: "failed",
    kind: outcome.kind,
    error: {
      ...describeThrown(outcome.thrown),
      code: typeof code === "string" ? code : undefined,
      wait: askedWaitOf(outcome.thrown),
    },
  };
}

export function fromPlainError({ name, message, stack, code, wait }: PlainError): Error {
  const error = new Error(message);
  error.name = name;
  error.stack = stack;
  return Object.assign(error, code !== undefined && { code }, wait !== undefined && { [WAIT]: wait });
}
