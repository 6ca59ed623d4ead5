import { parseHttpDate } from "./http-date.ts";

/**
 * How long a response asks the client to wait, in milliseconds. `undefined` if the response has no readable wait.
 *
 * The first header in this list with a readable wait decides. If the header has several values, the longest wait
 * counts:
 *
 * 1. `Retry-After-Ms` and `X-Ms-Retry-After-Ms`, in milliseconds.
 * 2. `Retry-After`: seconds (also with a fraction), or an HTTP date.
 * 3. A rate limit with no requests remaining, and the time of its reset. The headers are `RateLimit` in its two forms,
 *    such as `"default";r=0;t=30` and `limit=100, remaining=0, reset=5`, and pairs of headers such as
 *    `RateLimit-Remaining` and `RateLimit-Reset`, `X-RateLimit-…`, `X-Rate-Limit-…`, `x-ratelimit-remaining-requests`
 *    and `x-ratelimit-reset-requests`. A reset is a number of seconds, a time since 1970 in seconds or milliseconds
 *    (the size of the number shows which), a date, or a duration such as `6m0s`.
 *
 * Dates and times since 1970 are compared with the response's own `Date` header, if it has one. So the result is right
 * even if the clocks of the client and the service differ.
 *
 * The status of a response also decides whether the response is a throttle: see `throttleOf`.
 *
 * @param now The time, in milliseconds since 1970.
 * @example `requestedWaitMilliseconds(new Headers({ "retry-after": "120" }), Date.now())` is `120_000`.
 */
export function requestedWaitMilliseconds(headers: Headers, now: number): number | undefined {
  return retryAfter(headers, now) ?? longest(resetsOfUsedUpLimits(headers, now));
}

/**
 * Whether a response means that the service refused the request because of load. Status 429 always means this. Status
 * 403 and 503 mean it only if the response says how long to wait: otherwise, 403 means missing rights, and 503 means an
 * outage.
 *
 * @param now The time, in milliseconds since 1970.
 * @returns `undefined` if the response is not a throttle. `waitMilliseconds` is `undefined` if the response does not
 *   say how long to wait.
 */
export function throttleOf(
  { status, headers }: Pick<Response, "status" | "headers">,
  now: number,
): { readonly waitMilliseconds: number | undefined } | undefined {
  if (status !== 429 && status !== 403 && status !== 503) return undefined;
  const waitMilliseconds = requestedWaitMilliseconds(headers, now);
  // A status of 429 says that a limit is used up. Some services then send the `…-reset` header without a `…-remaining`
  // header.
  if (status === 429) return { waitMilliseconds: waitMilliseconds ?? longest(resets(headers, now)) };
  return waitMilliseconds === undefined ? undefined : { waitMilliseconds };
}

/**
 * The wait in a value of the `Retry-After` header, in milliseconds. The value is a number of seconds, an HTTP date, or
 * a list of these. `undefined` if the value is none of these.
 *
 * @param now The time of the service's clock, in milliseconds since 1970.
 */
export function retryAfterMilliseconds(value: string, now: number): number | undefined {
  return longest(listed(value).map((part) => untilMilliseconds(part, now)));
}

function retryAfter(headers: Headers, now: number): number | undefined {
  for (const name of ["retry-after-ms", "x-ms-retry-after-ms"]) {
    const milliseconds = longest(listed(headers.get(name) ?? "").map(toNumber));
    if (milliseconds !== undefined) return milliseconds;
  }
  return retryAfterMilliseconds(headers.get("retry-after") ?? "", serviceTime(headers, now));
}

/** The milliseconds until the reset of each limit that is used up. */
function resetsOfUsedUpLimits(headers: Headers, now: number): readonly (number | undefined)[] {
  const time = serviceTime(headers, now);
  const used = [...headers].filter(([name, value]) => /rate-?limit.*remaining/.test(name) && isUsedUp(value));
  return [
    ...rateLimits(headers, time),
    ...used.map(([name]) => longest(resetNames(name).map((reset) => resetOf(headers, reset, time)))),
  ];
}

const resetNames = (remaining: string) => ["reset", "reset-after"].map((word) => remaining.replace("remaining", word));

/** The milliseconds until each reset for which the response has no `…-remaining` header. */
function resets(headers: Headers, now: number): readonly (number | undefined)[] {
  const time = serviceTime(headers, now);
  return ["ratelimit", "x-ratelimit", "x-rate-limit"]
    .filter((prefix) => !headers.has(`${prefix}-remaining`))
    .flatMap((prefix) => resetNames(`${prefix}-remaining`))
    .map((name) => resetOf(headers, name, time));
}

function resetOf(headers: Headers, name: string, time: number): number | undefined {
  return retryAfterMilliseconds(headers.get(name) ?? "", time);
}

/**
 * Reads the `RateLimit` header of the IETF drafts. Since draft 8, each member is a policy with the parameters `r`
 * (remaining) and `t` (seconds until more is available). If `t` is missing, the window `w` of the policy with that name
 * is its upper bound. Up to draft 7 the header was one dictionary.
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
 */
function rateLimits(headers: Headers, time: number): readonly (number | undefined)[] {
  const members = (name: string) => listed(headers.get(name) ?? "");
  const values = members("ratelimit");
  const dictionary = new Map(values.flatMap((member) => [...parametersOf(`;${member}`)]));
  const remaining = dictionary.get("remaining");
  if (remaining !== undefined) {
    return isUsedUp(remaining) ? [untilMilliseconds(dictionary.get("reset") ?? "", time)] : [];
  }
  const policies = new Map(members("ratelimit-policy").map((member) => [nameOf(member), parametersOf(member)]));
  return values.flatMap((member) => {
    const { r, t } = Object.fromEntries(parametersOf(member));
    if (r === undefined || !isUsedUp(r)) return [];
    return [untilMilliseconds(t ?? policies.get(nameOf(member))?.get("w") ?? "", time)];
  });
}

/** A limit that a response tells: the requests that remain, and the time until more are allowed. */
export interface AdvertisedLimit {
  readonly remaining: number;
  readonly milliseconds: number;
}

/** All limits whose remaining requests and reset a response tells, also those that are not used up. */
export function advertisedLimits(headers: Headers, now: number): readonly AdvertisedLimit[] {
  const limits: AdvertisedLimit[] = [];
  let time: number | undefined;
  const add = (remainingText: string | undefined, resetText: string | undefined) => {
    const remaining = toNumber(remainingText ?? "");
    if (remaining === undefined || resetText === undefined) return;
    time ??= serviceTime(headers, now);
    const milliseconds = retryAfterMilliseconds(resetText, time);
    if (milliseconds !== undefined && milliseconds > 0) limits.push({ remaining, milliseconds });
  };
  for (const prefix of ["ratelimit", "x-ratelimit", "x-rate-limit"]) {
    const remaining = headers.get(`${prefix}-remaining`);
    if (remaining === null) continue;
    for (const reset of resetNames(`${prefix}-remaining`)) add(remaining, headers.get(reset) ?? undefined);
  }
  const value = headers.get("ratelimit");
  if (value === null) return limits;
  const members = listed(value);
  const dictionary = new Map(members.flatMap((member) => [...parametersOf(`;${member}`)]));
  add(dictionary.get("remaining"), dictionary.get("reset"));
  for (const member of members) {
    const { r, t } = Object.fromEntries(parametersOf(member));
    add(r, t);
  }
  return limits;
}

const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
const MEMBER = new RegExp(`(?:${QUOTED}|[^,])+`, "g");
const PARAMETER = new RegExp(`;\\s*([a-z*][\\w.*-]*)\\s*=\\s*(${QUOTED}|[^;,\\s]+)`, "gi");
const NAME = new RegExp(`^\\s*(${QUOTED}|[^;]*)`);

/** Splits a comma-separated list. A comma in quotes, or after the day of the week in a date, does not split. */
function listed(value: string): readonly string[] {
  const parts = value.replace(/\b([a-z]{3,9}day|mon|tue|wed|thu|fri|sat|sun),/gi, "$1\0").match(MEMBER) ?? [];
  return parts.map((part) => part.replace("\0", ",").trim()).filter((part) => part !== "");
}

function parametersOf(member: string): ReadonlyMap<string, string> {
  const found = [...member.matchAll(PARAMETER)];
  return new Map(found.map(([, name = "", value = ""]) => [name.toLowerCase(), value.replaceAll('"', "")]));
}

const nameOf = (member: string) => NAME.exec(member)?.[1]?.trim().replaceAll('"', "");

function isUsedUp(remaining: string): boolean {
  return listed(remaining).some((part) => toNumber(part) === 0 || /^-\d/.test(part));
}

/**
 * A smaller number is a duration in seconds: 1e9 seconds are 31 years. A larger number is a time in seconds since 1970:
 * that time reached 1e9 in 2001.
 */
const EARLIEST_EPOCH_SECONDS = 1e9;
const EARLIEST_EPOCH_MILLISECONDS = 1e11;
const LATEST_EPOCH_MILLISECONDS = 1e14;

/** The milliseconds until a moment. The text is a number of seconds, a time since 1970, a date or a duration. */
function untilMilliseconds(text: string, time: number): number | undefined {
  const number = toNumber(text);
  if (number === undefined) {
    const date = parseHttpDate(text, time);
    return date === undefined ? durationMilliseconds(text) : Math.max(0, date - time);
  }
  if (number < EARLIEST_EPOCH_SECONDS) return number * 1_000;
  if (number < EARLIEST_EPOCH_MILLISECONDS) return Math.max(0, number * 1_000 - time);
  return number < LATEST_EPOCH_MILLISECONDS ? Math.max(0, number - time) : undefined;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as `17ms`, `1.5s` or `6m0s`. */
function durationMilliseconds(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/i.test(text)) return undefined;
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/gi)]
    .map(([, amount, unit = ""]) => Number(amount) * (UNITS[unit.toLowerCase()] ?? 0))
    .reduce((sum, part) => sum + part, 0);
}

function toNumber(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/**
 * The time of the service's clock if the response has a `Date` header, otherwise `now`. `Age` is added, because it is
 * the time that the response has spent in a cache.
 */
function serviceTime(headers: Headers, now: number): number {
  const date = parseHttpDate(headers.get("date") ?? "", now);
  return date === undefined ? now : date + (toNumber(headers.get("age") ?? "") ?? 0) * 1_000;
}

function longest(waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((wait) => wait !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
