import { type Duration, toMilliseconds } from "./duration.ts";
import { askedWaitMilliseconds, retryAfterMilliseconds, throttleOf } from "./retry-after.ts";

/** `Headers`, of `fetch` or of a library that has a class of its own for them. */
export interface HeadersLike extends Iterable<readonly [string, unknown]> {
  get(name: string): unknown;
}

/**
 * A response of `fetch`, or of anything else that has its headers: as `Headers`, or as an object of names and values, as
 * `node:http`, got and axios have them.
 */
export interface ResponseLike {
  readonly status?: number;
  readonly headers: HeadersLike | Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * How long to wait: a duration, a response or its headers, or the value of a `Retry-After` header (seconds, or an HTTP
 * date). `null` and `undefined` leave it open, and so does what holds no wait that can be read.
 */
export type WaitSource = Duration | ResponseLike | HeadersLike | string | null | undefined;

/**
 * The wait that a source asks for, in milliseconds: finite and at least 0. `undefined` if it does not ask for one.
 *
 * @param option The name for the message.
 * @param now The time, in milliseconds since 1970.
 * @throws {ConfigurationError} It is a duration that is not valid, or something else altogether.
 */
export function waitMilliseconds(source: WaitSource, option: string, now: number): number | undefined {
  if (source === undefined || source === null) return undefined;
  if (typeof source === "string") return retryAfterMilliseconds(source, now);
  if (isHeaders(source)) return askedWaitMilliseconds(toHeaders(source), now);
  if (!isResponse(source)) return toMilliseconds(source, { option });
  const headers = toHeaders(source.headers);
  const throttle = source.status === undefined ? undefined : throttleOf({ status: source.status, headers }, now);
  return throttle?.waitMilliseconds ?? askedWaitMilliseconds(headers, now);
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

/** A wait that a task asked for by throwing. */
export interface AskedWait {
  /** `throttled`: the service refused because of load. `retryLater`: this item is not ready yet. */
  readonly kind: WaitKind;
  /** `undefined`: the workflow's backoff decides. */
  readonly afterMilliseconds: number | undefined;
}

export const WAIT_KINDS = ["throttled", "retryLater"] as const;
export type WaitKind = (typeof WAIT_KINDS)[number];

/** Marks an error as a wait. In the global registry: a workflow's bundle may hold another copy of the library. */
export const WAIT = Symbol.for("sluice.wait");

/**
 * Longer than any wait that is made, so what is above it ends in the same way: an item dies, and a run fails. Both say so
 * with a time, and neither a date nor a number of the ledger can be arbitrarily large.
 */
const LONGEST_MILLISECONDS = 100 * 365 * 86_400_000;

/** The wait that a task asked for by what it threw, or `undefined` if that is a failure. Never throws. */
export function askedWaitOf(thrown: unknown): AskedWait | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    if (WAIT in thrown) return checked(thrown[WAIT]);
    // As version 0.1 of the library threw it.
    if ("code" in thrown && thrown.code === "RETRY_LATER" && "afterMilliseconds" in thrown) {
      return checked({ kind: "retryLater", afterMilliseconds: thrown.afterMilliseconds });
    }
  } catch {
    // A getter or a proxy that throws: it is a failure like any other.
  }
  return undefined;
}

function checked(wait: unknown): AskedWait | undefined {
  const { kind, afterMilliseconds } = wait as { kind?: unknown; afterMilliseconds?: unknown };
  const known = WAIT_KINDS.find((name) => name === kind);
  if (known === undefined) return undefined;
  const isLength = typeof afterMilliseconds === "number" && afterMilliseconds >= 0;
  return { kind: known, afterMilliseconds: isLength ? Math.min(afterMilliseconds, LONGEST_MILLISECONDS) : undefined };
}
