import { type Duration, toMilliseconds } from "./duration.ts";
import { requestedWaitMilliseconds, retryAfterMilliseconds, throttleOf } from "./retry-after.ts";

/** The `Headers` of `fetch`, or a similar class of another library. */
export interface HeadersLike extends Iterable<readonly [string, unknown]> {
  get(name: string): unknown;
}

/**
 * A response of `fetch` or of another HTTP client. Its headers are a `Headers` object, or an object of names and values
 * as in
 * `node:http`, got and axios.
 */
export interface ResponseLike {
  readonly status?: number;
  readonly headers: HeadersLike | Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * How long to wait: a duration, a response or its headers, or the value of a `Retry-After` header (seconds, or an HTTP
 * date). `null` and `undefined` state no wait. A response or a text without a readable wait states none either.
 *
 * @example `{ minutes: 5 }`, `response`, `response.headers`, `"120"`, `"Sun, 06 Nov 1994 08:49:37 GMT"`
 */
export type WaitSource = Duration | ResponseLike | HeadersLike | string | null | undefined;

/**
 * The wait that a source states, in milliseconds: finite and at least 0. `undefined` if the source states no wait.
 *
 * @param option The name of the source in the error message.
 * @param now The time, in milliseconds since 1970.
 * @throws {ConfigurationError} The source is not a valid duration and none of the other kinds.
 */
export function waitMilliseconds(source: WaitSource, option: string, now: number): number | undefined {
  if (source === undefined || source === null) return undefined;
  if (typeof source === "string") return retryAfterMilliseconds(source, now);
  if (isHeaders(source)) return requestedWaitMilliseconds(toHeaders(source), now);
  if (!isResponse(source)) return toMilliseconds(source, { option });
  const headers = toHeaders(source.headers);
  const throttle = source.status === undefined ? undefined : throttleOf({ status: source.status, headers }, now);
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
 * The key that marks an error as a wait. It is a global symbol, because a workflow's bundle can contain another copy of
 * the library.
 */
export const WAIT = Symbol.for("sluice.wait");

/**
 * Longer waits are shortened to this. It is far above the longest wait that Sluice makes, so the result is the same:
 * the item becomes a dead letter, or the run fails. Without this limit, a huge wait could not be stored as a date.
 */
const LONGEST_MILLISECONDS = 100 * 365 * 86_400_000;

/** The wait that a thrown value requests, or `undefined` if the value is a failure. This function never throws. */
export function requestedWaitOf(thrown: unknown): RequestedWait | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    if (WAIT in thrown) return checked(thrown[WAIT]);
    // The form in which version 0.1 of the library threw it.
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
