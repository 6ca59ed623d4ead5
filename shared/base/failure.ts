import type { WaitKind } from "./requested-wait.ts";
import { PermanentError, TaskTimeoutError } from "./task-errors.ts";
import { describeThrown, toError } from "./thrown.ts";
import { lastWait, type Waits } from "./waits.ts";

/** How an attempt failed. */
export const FAILURE_KINDS = ["threw", "timed out", "aborted", "crashed", "invalid"] as const;
/** How one attempt failed. */
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** Why an item or a message is in the dead-letter queue. */
export const REASONS = [
  /** Every attempt failed. */
  "exhausted",
  /** The task threw a `PermanentError`. */
  "permanent",
  /** The item does not match the workflow's schema, or is not JSON. */
  "invalid item",
  /** The body of the message is not an envelope of Sluice. */
  "malformed message",
  /** The item does not fit into an SQS message. */
  "too large",
  /**
   * SQS delivered the message many times, and no outcome was recorded: the consumer crashed, or Lambda throttled it.
   */
  "unexplained",
  /** The task requested a wait that would exceed `retry.waitAtMost`. */
  "waited too long",
] as const;
/** Why an item is dead. */
export type Reason = (typeof REASONS)[number];

/** One failed attempt, as it is stored in the ledger and in the dead letter. */
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

// The lengths are in bytes.
const LONGEST_NAME = 200;
const LONGEST_STACK = 1_500;

/**
 * The most bytes of an error message that are stored. A longer error message is cut, and the stored text states its
 * full length. The limit exists because all failures of an item share one row of the ledger, and one SQS message: the
 * dead letter.
 */
export const LONGEST_MESSAGE = 32_768;

/**
 * The bytes of a ledger row that all failures of an item together may use. DynamoDB refuses a row of more than 400 KB.
 * The rest is for the row's key and its other attributes.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
 */
const BYTES_OF_ALL_FAILURES = 380_000;

/** The bytes of a failure in addition to its name, message and stack: the attribute names and the other values. */
const BYTES_OF_OTHER_VALUES = 300;

/**
 * Every error message may have at least this many bytes, even if 100 attempts are configured: 100 failures with such a
 * message fit into the row.
 */
const ALWAYS_ALLOWED_MESSAGE = 1_700;

/**
 * The most bytes that the error message of the next failure may have. All failures of an item share one row, so the
 * remaining bytes are divided equally among the remaining failures. With five attempts, each error message may have 32
 * KB.
 *
 * @param before The failures that are stored already.
 * @param attempts The most attempts of the item, including the earlier ones.
 */
export function roomForMessage(before: readonly Failure[], attempts: number): number {
  const taken = before
    .map(({ name, message, stack = "" }) => Buffer.byteLength(name + message + stack) + BYTES_OF_OTHER_VALUES)
    .reduce((sum, bytes) => sum + bytes, 0);
  const share = Math.floor((BYTES_OF_ALL_FAILURES - taken) / Math.max(1, attempts - before.length));
  const room = share - LONGEST_NAME - LONGEST_STACK - BYTES_OF_OTHER_VALUES;
  return Math.min(LONGEST_MESSAGE, Math.max(ALWAYS_ALLOWED_MESSAGE, room));
}

/**
 * Turns a thrown value into the failure of an attempt.
 *
 * @param attempt.room The most bytes of the error message. Default `LONGEST_MESSAGE`.
 */
export function toFailure(
  thrown: unknown,
  attempt: {
    readonly attempt: number;
    readonly startedAt: number;
    readonly endedAt: number;
    readonly kind?: FailureKind;
    readonly room?: number;
  },
): Failure {
  const error = toError(thrown);
  const { name, message, stack } = describeThrown(error);
  const kind = attempt.kind ?? (error instanceof TaskTimeoutError ? "timed out" : "threw");
  return {
    attempt: attempt.attempt,
    at: new Date(attempt.startedAt).toISOString(),
    durationMilliseconds: Math.round(attempt.endedAt - attempt.startedAt),
    kind,
    name: cut(name, LONGEST_NAME),
    message: cut(message, attempt.room ?? LONGEST_MESSAGE),
    ...(stack !== "" && { stack: cut(stack, LONGEST_STACK) }),
  };
}

/** The error of a dead letter with the reason `unexplained`. Its earlier failures are not the reason. */
const UNEXPLAINED = {
  name: "Unexplained",
  message: "received again and again, and no outcome was recorded: its consumer crashed, or was throttled",
} as const;

/**
 * The error that made an item a dead letter: the name and the message of its last failure, or of the wait that was too
 * long.
 */
export function lastError(
  reason: Reason,
  failures: readonly Failure[],
  waits?: Pick<Waits, WaitKind>,
): { readonly name: string; readonly message: string } {
  if (reason === "unexplained") return UNEXPLAINED;
  const asked = reason === "waited too long" ? lastWait(waits) : undefined;
  if (asked !== undefined) return { name: asked.name, message: asked.message };
  const { name, message } = failures.at(-1) ?? { name: "Unknown", message: reason };
  return { name, message };
}

/** Whether a thrown value means that no further attempt can succeed. */
export function isPermanent(thrown: unknown): boolean {
  const error = toError(thrown);
  // Check the code as well as the class, because a workflow's bundle can contain another copy of the library.
  return error instanceof PermanentError || ("code" in error && error.code === "PERMANENT");
}

/**
 * Cuts a text to its first `bytes` bytes, and appends its full length. Returns a text of up to `bytes` bytes unchanged.
 */
export function cut(text: string, bytes: number): string {
  // A text can be very large. Each character takes at least one byte, so only the first characters are encoded.
  const encoded = Buffer.from(text.slice(0, bytes + 1));
  if (text.length <= bytes && encoded.length <= bytes) return text.toWellFormed();
  // `stream: true` drops the last character if the cut is in the middle of its bytes.
  const start = new TextDecoder().decode(encoded.subarray(0, bytes), { stream: true });
  return `${start}… (${text.length} characters)`;
}
