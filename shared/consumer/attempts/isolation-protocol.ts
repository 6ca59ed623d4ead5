import type { FailureKind } from "../../base/failure.ts";
import { type RequestedWait, requestedWaitOf, WAIT } from "../../base/requested-wait.ts";
import type { TaskContext } from "../../base/task.ts";
import { describeThrown } from "../../base/thrown.ts";
import type { AttemptOutcome } from "./attempt.ts";

/** The environment variable that is set in a process which makes one isolated attempt. */
export const ISOLATED = "SLUICE_ISOLATED";

/** What the consumer sends to the process, once the process is ready. */
export interface IsolatedRequest {
  /** The item, as `toStoredText` writes it. The channel between the processes carries JSON, which has no bigints. */
  readonly itemText: string;
  /** Whether the result is kept. */
  readonly keepsResult?: true | undefined;
  readonly context: Omit<TaskContext, "signal" | "logger">;
  readonly timeoutMilliseconds: number;
}

/**
 * What the process sends to the consumer: first `ready`, when it has loaded the bundle; then the end of its attempt. An error
 * is sent as its parts, because JSON would lose most of them.
 */
export type IsolatedAnswer =
  | { readonly tag: "ready" }
  | { readonly tag: "succeeded"; readonly result?: string | undefined }
  | { readonly tag: "failed"; readonly kind: FailureKind; readonly error: PlainError };

/** The parts of an error that the process sends to the consumer. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  /** Empty if the error has no stack. */
  readonly stack: string;
  /** The code, such as that of a `PermanentError`. */
  readonly code: string | undefined;
  /** The wait that a `Throttled` or a `RetryLater` asks for. */
  readonly wait?: RequestedWait | undefined;
}

export function toAnswer(outcome: AttemptOutcome): IsolatedAnswer {
  if (outcome.tag === "succeeded") return { tag: "succeeded", result: outcome.result };
  const { code } = outcome.thrown as Error & { code?: unknown };
  return {
    tag: "failed",
    kind: outcome.kind,
    error: {
      ...describeThrown(outcome.thrown),
      code: typeof code === "string" ? code : undefined,
      wait: requestedWaitOf(outcome.thrown),
    },
  };
}

export function fromPlainError({ name, message, stack, code, wait }: PlainError): Error {
  const error = new Error(message);
  error.name = name;
  error.stack = stack;
  return Object.assign(error, code !== undefined && { code }, wait !== undefined && { [WAIT]: wait });
}
