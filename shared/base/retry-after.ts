import { parseHttpDate } from "./http-date.ts";

/**
 * How long a response asks to wait, in milliseconds; `undefined` if it does not ask, or not in a way that can be read.
 *
 * The first of these that can be read decides, and of several values in it the longest:
 *
 * 1. `Retry-After-Ms` and `X-Ms-Retry-After-Ms`, in milliseconds.
 * 2. `Retry-After`: seconds (also with a fraction), or an HTTP date.
 * 3. What is used up (remaining at 0) with the time at which it is filled up again: `RateLimit` in its two forms, such
 *    as `"default";r=0;t=30` and `limit=100, remaining=0, reset=5`; and pairs of headers such as `RateLimit-Remaining`
 *    and `RateLimit-Reset`, `X-RateLimit-…`, `X-Rate-Limit-…`, `x-ratelimit-remaining-requests` and
 *    `x-ratelimit-reset-requests`. A reset is seconds, seconds or milliseconds since 1970 (told apart by their
 *    magnitude), a date, or a duration such as `6m0s`.
 *
 * Dates and times since 1970 are compared with the response's own `Date` if it has one, so a clock that differs from
 * the service's does not matter.
 *
 * Whether a response refuses because of load at all depends on its status as well: see `throttleOf`.
 *
 * @param now The time, in milliseconds since 1970.
 * @example `askedWaitMilliseconds(new Headers({ "retry-after": "120" }), Date.now())` is `120_000`.
 */
export function askedWaitMilliseconds(headers: Headers, now: number): number | undefined {
  return retryAfter(headers, now) ?? longest(refills(headers, now));
}

/**
 * Whether a service refused a request because of load: with status 429 always, with 403 and 503 if the response says
 * how long to wait (a 403 without is a missing right, a 503 without an outage). `undefined` if it did not.
 *
 * @param now The time, in milliseconds since 1970.
 * @returns `waitMilliseconds`: how long the response asks to wait, if it says so.
 */
export function throttleOf(
  { status, headers }: Pick<Response, "status" | "headers">,
  now: number,
): { readonly waitMilliseconds: number | undefined } | undefined {
  if (status !== 429 && status !== 403 && status !== 503) return undefined;
  const waitMilliseconds = askedWaitMilliseconds(headers, now);
  // A 429 has said that something is used up. Some services then send the reset alone.
  if (status === 429) return { waitMilliseconds: waitMilliseconds ?? longest(resets(headers, now)) };
  return waitMilliseconds === undefined ? undefined : { waitMilliseconds };
}

/**
 * The wait that one value of `Retry-After` asks for, in milliseconds: seconds, an HTTP date, or several of them.
 *
 * @param now The time, in milliseconds since 1970, by the clock of the service.
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

/** When each limit that is used up is filled up again, in milliseconds from now. */
function refills(headers: Headers, now: number): readonly (number | undefined)[] {
  const time = serviceTime(headers, now);
  const used = [...headers].filter(([name, value]) => /rate-?limit.*remaining/.test(name) && isUsedUp(value));
  return [
    ...rateLimits(headers, time),
    ...used.map(([name]) => longest(resetNames(name).map((reset) => resetOf(headers, reset, time)))),
  ];
}

const resetNames = (remaining: string) => ["reset", "reset-after"].map((word) => remaining.replace("remaining", word));

/** Of a response that is known to refuse because of load: the resets that stand without a remaining. */
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
 * The header `RateLimit` of the IETF's drafts, read leniently. From draft 8 on, each member is a policy with the
 * parameters `r` (remaining) and `t` (seconds until more is available); a missing `t` is at the most the window `w` of
 * the policy of that name. Up to draft 7 the header was one dictionary.
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

const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
const MEMBER = new RegExp(`(?:${QUOTED}|[^,])+`, "g");
const PARAMETER = new RegExp(`;\\s*([a-z*][\\w.*-]*)\\s*=\\s*(${QUOTED}|[^;,\\s]+)`, "gi");
const NAME = new RegExp(`^\\s*(${QUOTED}|[^;]*)`);

/** The parts of a comma-separated list. The comma after the day of the week in a date, or in quotes, parts nothing. */
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

/** A number below this is a length in seconds, 31 years at the most; the time in seconds passed it in 2001. */
const EARLIEST_EPOCH_SECONDS = 1e9;
const EARLIEST_EPOCH_MILLISECONDS = 1e11;
const LATEST_EPOCH_MILLISECONDS = 1e14;

/** How long until a moment that is written as seconds from now, a time since 1970, a date or a duration. */
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

/** The time by the service's clock, if the response tells it. A cache tells how old the response is. */
function serviceTime(headers: Headers, now: number): number {
  const date = parseHttpDate(headers.get("date") ?? "", now);
  return date === undefined ? now : date + (toNumber(headers.get("age") ?? "") ?? 0) * 1_000;
}

function longest(waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((wait) => wait !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
