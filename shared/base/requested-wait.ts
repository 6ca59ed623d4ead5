import { type Duration, toMilliseconds } from "./duration.ts";
import { requestedWaitMilliseconds, retryAfterMilliseconds, throttleOf } from "./retry-after.ts";

/** The `Headers` of `fetch`, or a similar class of another library. */
export interface HeadersLike extends Iterable<readonly [string, unknown]> {
  get(name: string): unknown;
}

/**
 * A response of `fetch` or of another HTTP client. Its headers are a `Headers` object, or an object of names and values
 * as in `node:http`, got and axios.
 */
export interface ResponseLike {
  readonly status?: number;
  readonly headers: HeadersLike | Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * A value that tells Sluice how long to wait: a duration, a response or its headers, or the value of a `Retry-After`
 * header (seconds, or an HTTP date). `null` and `undefined` contain no wait. A response or a text that Sluice cannot
 * read a wait from also counts as a value without a wait.
 *
 * @example `{ minutes: 5 }`, `response`, `response.headers`, `"120"`, `"Sun, 06 Nov 1994 08:49:37 GMT"`
 */
export type WaitSource = Duration | ResponseLike | HeadersLike | string | null | undefined;

/**
 * The wait that a value contains, in milliseconds: finite and at least 0. `undefined` if the value contains no wait.
 *
 * @param option The name of the value in the error message.
 * @param now The time, in milliseconds since 1970.
 * @throws {ConfigurationError} The value is not one of the kinds that `WaitSource` lists.
 */
export function waitMilliseconds(value: WaitSource, option: string, now: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return retryAfterMilliseconds(value, now);
  if (isHeaders(value)) return requestedWaitMilliseconds(toHeaders(value), now);
  if (!isResponse(value)) return toMilliseconds(value, { option });
  const headers = toHeaders(value.headers);
  const throttle = value.status === undefined ? undefined : throttleOf({ status: value.status, headers }, now);
  return throttle?.waitMilliseconds ?? requestedWaitMilliseconds(headers, now);
}

const isHeaders = (source: unknown): source is HeadersLike =>
  typeof source === "object" &&
  source !== null &&
  "get" in source &&
  typeof source.get === "function" &&
  Symbol.iterator in source;

const isResponse = (source: unknown): source is ResponseLike =>
  typeof source === "object" &&
  source !== null &&
  "headers" in source &&
  typeof source.headers === "object" &&
  source.headers !== null;

function toHeaders(headers: ResponseLike["headers"]): Headers {
  if (headers instanceof Headers) return headers;
  const entries = (isHeaders(headers) ? [...headers] : Object.entries(headers)).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return new Headers(entries);
}

/** A wait that a task requested by throwing `Throttled` or `RetryLater`. */
export interface RequestedWait {
  /** `throttled`: the service refused because of load. `retryLater`: this item is not ready yet. */
  readonly kind: WaitKind;
  /** How long to wait. `undefined`: the workflow's backoff decides. */
  readonly afterMilliseconds: number | undefined;
}

export const WAIT_KINDS = ["throttled", "retryLater"] as const;
export type WaitKind = (typeof WAIT_KINDS)[number];

/**
 * The key that marks an error as a wait. The key is a global symbol, because a workflow's bundle can contain a second
 * copy of the library.
 */
export const WAIT = Symbol.for("sluice.wait");

/**
 * The longest wait that an error can request. A longer wait is shortened to 100 years, because its end could not be
 * stored as a date. This changes nothing for the user: any wait of this length makes the item a dead letter, or fails
 * the run.
 */
const LONGEST_MILLISECONDS = 100 * 365 * 86_400_000;

/** The wait that a thrown value requests, or `undefined` if the value is a failure. This function never throws. */
export function requestedWaitOf(thrown: unknown): RequestedWait | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    if (WAIT in thrown) return checked(thrown[WAIT]);
    // Version 0.1 of the library marked a wait with this code.
    if ("code" in thrown && thrown.code === "RETRY_LATER" && "afterMilliseconds" in thrown) {
      return checked({ kind: "retryLater", afterMilliseconds: thrown.afterMilliseconds });
    }
  } catch {
    // A getter or a proxy threw: the value is a failure.
  }
  return undefined;
}

function checked(wait: unknown): RequestedWait | undefined {
  const { kind, afterMilliseconds } = wait as { kind?: unknown; afterMilliseconds?: unknown };
  const known = WAIT_KINDS.find((name) => name === kind);
  if (known === undefined) return undefined;
  const isLength = typeof afterMilliseconds === "number" && afterMilliseconds >= 0;
  return { kind: known, afterMilliseconds: isLength ? Math.min(afterMilliseconds, LONGEST_MILLISECONDS) : undefined };
}
