import type { WaitKind } from "./asked-wait.ts";
import { PermanentError, TaskTimeoutError } from "./task-errors.ts";
import { describeThrown, toError } from "./thrown.ts";
import { lastWait, type Waits } from "./waits.ts";

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
  /** A wait that its task asked for would have passed `retry.waitAtMost`. */
  "waited too long",
] as const;
/** Why an item is dead. */
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

// In bytes.
const LONGEST_NAME = 200;
const LONGEST_STACK = 1_500;

/**
 * A message is kept whole up to so many bytes. A longer one is cut, and says how long it was: the failures of an item
 * share one row of the ledger, and its dead letter is one SQS message.
 */
export const LONGEST_MESSAGE = 32_768;

/** Of a DynamoDB row of 400 KB, what failures may take; the rest is for its key and its receives.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
const BYTES_OF_ALL_FAILURES = 380_000;

/** Of a failure, beside its texts: the names and values of its other attributes. */
const BYTES_BESIDE = 300;

/** What a message gets at the least, however many attempts an item has: with it 100 of them fit into the row. */
const SHORTEST_LONGEST_MESSAGE = 1_700;

/**
 * How long the message of the next failure may be, in bytes: its fair share of the row that it shares with those before
 * and those that may follow. Five attempts have room for five messages of 32 KB.
 *
 * @param attempts How many there may be, those before included.
 */
export function roomForMessage(before: readonly Failure[], attempts: number): number {
  const taken = before
    .map(({ name, message, stack = "" }) => Buffer.byteLength(name + message + stack) + BYTES_BESIDE)
    .reduce((sum, bytes) => sum + bytes, 0);
  const share = Math.floor((BYTES_OF_ALL_FAILURES - taken) / Math.max(1, attempts - before.length));
  const room = share - LONGEST_NAME - LONGEST_STACK - BYTES_BESIDE;
  return Math.min(LONGEST_MESSAGE, Math.max(SHORTEST_LONGEST_MESSAGE, room));
}

/**
 * What was thrown, as the failure of an attempt.
 *
 * @param attempt.room How long the message may be, in bytes; `LONGEST_MESSAGE` by default.
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

/** Of a dead letter with the reason `unexplained`: whatever failed before is not what it died of. */
const UNEXPLAINED = {
  name: "Unexplained",
  message: "received again and again, and no outcome was recorded: its consumer crashed, or was throttled",
} as const;

/** Why an item died, in two: the name and the message of its last failure, or of the wait that was too long. */
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

/** Whether a failure rules out another attempt. */
export function isPermanent(thrown: unknown): boolean {
  const error = toError(thrown);
  // By code and not only by class: a workflow's bundle may hold another copy of the library.
  return error instanceof PermanentError || ("code" in error && error.code === "PERMANENT");
}

/** The beginning of a text, in bytes, with how long it was; the text itself where it is no longer. */
export function cut(text: string, bytes: number): string {
  // A character takes a byte at least, so what lies beyond need not be encoded: the text may fill the memory.
  const encoded = Buffer.from(text.slice(0, bytes + 1));
  if (text.length <= bytes && encoded.length <= bytes) return text.toWellFormed();
  // `stream: true` leaves out a character whose bytes the cut parted.
  const start = new TextDecoder().decode(encoded.subarray(0, bytes), { stream: true });
  return `${start}… (${text.length} characters)`;
}
