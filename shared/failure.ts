import { toError } from "./errors.ts";
import { PermanentError, TaskTimeoutError } from "./task-errors.ts";

/** How an attempt failed. */
export const FAILURE_KINDS = ["threw", "timed out", "aborted", "crashed", "invalid"] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** Why an item, or a message, lies in the dead-letter queue. */
export const REASONS = [
  /** Every attempt failed. */
  "exhausted",
  /** The task threw a `PermanentError`. */
  "permanent",
  /** It fails the workflow's schema, or is not JSON. */
  "invalid item",
  /** Its body is not an envelope of ours. */
  "malformed message",
  /** It does not fit into an SQS message. */
  "too large",
  /** It was received again and again and nothing was recorded: it crashed, or was throttled. */
  "unexplained",
] as const;
export type Reason = (typeof REASONS)[number];

/** One failed attempt, as the ledger and the dead letter keep it. */
export interface Failure {
  readonly attempt: number;
  /** When the attempt began, ISO 8601. */
  readonly at: string;
  readonly durationMilliseconds: number;
  readonly kind: FailureKind;
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
}

// In bytes. With these, the failures of 100 attempts fit into a DynamoDB row of 400 KB.
const LONGEST_NAME = 200;
const LONGEST_MESSAGE = 2_000;
const LONGEST_STACK = 1_500;

/** What was thrown, as the failure of an attempt. */
export function toFailure(
  thrown: unknown,
  attempt: {
    readonly attempt: number;
    readonly startedAt: number;
    readonly endedAt: number;
    readonly kind?: FailureKind;
  },
): Failure {
  const error = toError(thrown);
  const kind = attempt.kind ?? (error instanceof TaskTimeoutError ? "timed out" : "threw");
  return {
    attempt: attempt.attempt,
    at: new Date(attempt.startedAt).toISOString(),
    durationMilliseconds: Math.round(attempt.endedAt - attempt.startedAt),
    kind,
    name: cut(String(error.name), LONGEST_NAME),
    message: cut(messageWithCauses(error), LONGEST_MESSAGE),
    // Some set their stack to a list of call sites.
    ...(typeof error.stack === "string" && error.stack !== "" && { stack: cut(error.stack, LONGEST_STACK) }),
  };
}

/** Whether a failure rules out another attempt. */
export function isPermanent(thrown: unknown): boolean {
  // By code and not only by class: a workflow's bundle may hold another copy of the library.
  return (
    thrown instanceof PermanentError || (thrown instanceof Error && "code" in thrown && thrown.code === "PERMANENT")
  );
}

// "fetch failed" alone says nothing: the cause holds the reason.
function messageWithCauses(error: Error): string {
  const messages = [String(error.message)];
  let cause = error.cause;
  for (let depth = 0; cause !== undefined && cause !== null && depth < 3; depth++) {
    const inner = toError(cause);
    if (inner.message !== "") messages.push(inner.message);
    cause = inner.cause;
  }
  return messages.join(": ");
}

function cut(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text.toWellFormed();
  // `stream: true` leaves out a character whose bytes the cut parted.
  const start = new TextDecoder().decode(encoded.subarray(0, bytes), { stream: true });
  return `${start}… (${text.length} characters)`;
}
