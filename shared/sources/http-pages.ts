import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { LONGEST_HIDING_MILLISECONDS } from "../aws/quotas.ts";
import { type Duration, toMilliseconds } from "../base/duration.ts";
import { ConfigurationError, SourceError, toError } from "../base/errors.ts";
import { type ExactJson, fromStoredText, jsonText, toStoredText, type UnsafeNumbers } from "../base/exact-json.ts";
import { booleanOption, integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import { type RetryOptions, retryPolicy } from "../base/retry.ts";
import { checkPath, type Path } from "./body-path.ts";
import { type HeadersInput, type RequestSettings, requestJson, type Surroundings, toHeaders } from "./http-request.ts";
import { LoopDetector } from "./loop-detector.ts";
import { itemsOf, type PageItemsOptions } from "./page-items.ts";
import type { JsonObject, Pagination } from "./pagination.ts";
import { isCharset } from "./response-text.ts";
import type { Cursor, ReadContext, Source } from "./source.ts";
import { LONGEST_SOURCE_WAIT } from "./source-wait.ts";
import { refuseUnsafeNumbers, unsafeNumbersOption } from "./unsafe-numbers.ts";

/** Options of `httpPages`. */
export interface HttpPagesOptions {
  /**
   * The URL of the first page, with http or https. Sluice calls a function when it starts to read, so that the URL may
   * come from the environment variables of the deployed function.
   *
   * All pages keep the query of this URL byte for byte, unless the API gives the whole URL of the next page. A
   * parameter that `next` sets replaces the parameter of the same name, or is added at the end.
   *
   * `fetch` sends every URL as the URL standard writes it (https://url.spec.whatwg.org/#query-state). In a query it
   * encodes spaces, `"`, `'`, `<`, `>` and characters beyond ASCII, in the same way on every page: `'open'` is sent as
   * `%27open%27`. All other characters are sent as they are written here.
   */
  readonly url: string | URL | (() => string | URL);
  /**
   * How one page leads to the next: `linkHeader`, `nextUrl(...)`, `cursorField(...)`, `lastItem(...)`,
   * `pageNumber(...)`, `offsetLimit(...)`, `singlePage`, or your own `Pagination`.
   */
  readonly next: Pagination;
  /** The place of the list of items in the body. Default: the body itself is the list. */
  readonly items?: Path;
  /**
   * Whether Sluice accepts a page whose body has the field `errors`, as a GraphQL response can have in addition to
   * `data`. Default `false`: such a page is an error, because items may be missing. With `true`, the run's summary
   * shows the errors as a warning.
   */
  readonly allowErrors?: boolean;
  /**
   * Whether `null` in place of the list of items means an empty list, as with some servers written in Go. Default
   * `false`: `null` is an error, because GraphQL returns `null` for a list that it could not read.
   */
  readonly allowNullItems?: boolean;
  /**
   * The headers of each request. Sluice calls a function before each attempt, so that a token can be fresh. The headers
   * are sent only to the origin of `url` and to `allowOrigins`. Default: `accept: application/json`, and with a body
   * `content-type: application/json`.
   */
  readonly headers?: HeadersInput | ((context: ReadContext) => HeadersInput | Promise<HeadersInput>);
  /**
   * A JSON object to send, which makes each request a POST. Sluice copies it when the source is defined. It is the same
   * on every page, except for the fields that `next` sets. Default: no body, and a GET.
   */
  readonly body?: JsonObject;
  /** Further origins to which requests and their headers may go, such as `"https://eu.example.com"`. Default: none. */
  readonly allowOrigins?: readonly string[];
  /**
   * The timeout of one attempt, including the body: 1 ms to 15 min. The function `headers`, which runs before each
   * attempt, has the same timeout. Default 30 s.
   */
  readonly timeout?: Duration;
  /**
   * How Sluice retries a request after a network error, a timeout, 408, 429 or 5xx. Default: 5 attempts with full
   * jitter, and a backoff of 500 ms that doubles up to 30 s.
   *
   * A response of 408, 429, 5xx or 403 may say how long to wait: `Retry-After` in seconds or as an HTTP date,
   * `RateLimit`, or `X-RateLimit-Remaining: 0` with `X-RateLimit-Reset`. Then Sluice sends no request before that time,
   * and the response does not count as an attempt. The run waits, which costs nothing, and continues from the same
   * cursor. The run also waits if the last attempt ended in 429.
   */
  readonly retry?: RetryOptions & {
    /**
     * The longest wait that the service may request, up to 8 days: SQS keeps the message that continues the run for 10
     * days. Default 24 h. A longer wait fails the run at once, and `sluice resume` continues from the same cursor.
     */
    readonly maxRetryAfter?: Duration;
  };
  /** The largest body, in bytes after decompression: 1 KiB to 256 MiB. Default 32 MiB. A larger body is an error. */
  readonly maxBodyBytes?: number;
  /**
   * The charset of the bodies, such as `"iso-8859-1"`, for a service that declares no charset or a wrong one. Default:
   * the charset that the content type declares, otherwise UTF-8. A byte order mark takes precedence over both. Bytes
   * that are invalid in the charset are an error.
   */
  readonly charset?: string;
  /**
   * Whether a page may have exactly the items of the page before it. Default `false`: such a page is an error, because
   * an API that ignores the page parameter returns the first page forever.
   */
  readonly allowRepeatedPages?: boolean;
  /**
   * How many pages in a row may have no items and still lead to another page: 0 or more. If more such pages follow in a
   * row, the source fails. Without this limit, Sluice would read forever from an API that never marks its last page.
   * Default 1,000.
   */
  readonly maxEmptyPages?: number;
  /**
   * What Sluice does with a number that JavaScript would alter, such as the id `12345678901234567`. Default `"refuse"`:
   * the item becomes a dead letter with the reason `invalid item`, and a cursor with such a number is an error.
   * `"text"` keeps the number as a string. `"bigint"` keeps an integer as a bigint. The task receives the string or the
   * bigint. A cursor with such a number is sent back to the API as the same number.
   */
  readonly unsafeNumbers?: UnsafeNumbers;
  /**
   * A replacement for the global `fetch`, for example to sign requests or to use a proxy. It must not follow redirects.
   * Default: the global `fetch`.
   */
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * Makes a source from a REST API that returns JSON in pages.
 *
 * The cursor contains the position of the next page. If the position is a URL of the same origin as `url`, the cursor
 * leaves out host and port, so that a run can continue after the API has moved.
 *
 * @param surroundings The clock, the randomness and the timer. Tests replace them.
 * @throws {ConfigurationError} An option is missing, unknown or out of its range.
 * @throws {Throttled} While the source is read: the service asks to wait. The run then waits, which costs nothing.
 * @throws {SourceError} While the source is read: a request failed permanently, the body has no list of items at the
 *   place of the items, the body reports errors, or the pages form a loop.
 *
 * @example
 * ```ts
 * source: httpPages({
 *   url: "https://api.github.com/orgs/nodejs/repos?per_page=100",
 *   next: linkHeader,
 *   headers: async () => ({ authorization: `Bearer ${await freshToken()}` }),
 * }),
 * source: httpPages({
 *   url: "https://api.stripe.com/v1/customers?limit=100",
 *   items: "data",
 *   next: lastItem({ path: "id", parameter: "starting_after", hasMore: "has_more" }),
 *   headers: () => ({ authorization: `Bearer ${process.env.STRIPE_KEY}` }),
 * }),
 * ```
 */
export function httpPages<Item = unknown>(
  options: HttpPagesOptions,
  surroundings: Partial<Surroundings> = {},
): Source<Item> {
  const { url, next } = options;
  const configured = check(options);
  const body = copyOf(options.body);
  next.check?.({ body });
  const pageItems = checkPageItems(options);
  const maxEmptyPages = integerOption("maxEmptyPages", options.maxEmptyPages ?? 1_000, {
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    fix: "leave it out, unless the API returns many pages without items in a row",
  });

  return {
    async *pages(cursor, context) {
      const start = { url: toUrl(typeof url === "function" ? url() : url), body };
      const settings: Omit<RequestSettings, "endStatuses"> = {
        ...SURROUNDINGS,
        ...surroundings,
        ...configured,
        headers: () => headersOf(options, context),
        origins: [start.url.origin, ...(options.allowOrigins ?? [])],
      };
      const loop = new LoopDetector();
      let here: ParsedCursor | undefined = cursor === undefined ? undefined : readCursor(cursor);
      for (;;) {
        const answer = await requestJson(next.request(start, here?.at), context.signal, {
          ...settings,
          endStatuses: { statuses: next.endStatuses ?? [], isFirst: here === undefined },
        });
        if (answer === "past the end") return yield { items: [] };
        const items = itemsOf(answer, pageItems, context.warn);
        const seen = digest(items);
        if (seen === here?.seen && items.length > 0 && options.allowRepeatedPages !== true) throw repeated(here.at);
        const at = next.next({ ...answer, items }, here?.at, start, context);
        const exact = (answer.marked ? refuseUnsafeNumbers(items, answer, configured.unsafeNumbers) : items) as Item[];
        if (at === undefined) return yield { items: exact };
        if (loop.isRepeated(at) || isDeepStrictEqual(at, here?.at)) throw loopError(at);
        const empty = items.length > 0 ? 0 : (here?.empty ?? 0) + 1;
        if (empty > maxEmptyPages) throw endless(at, empty);
        here = { at, seen, empty };
        yield { items: exact, next: { at, seen, ...(empty > 0 && { empty }) } };
      }
    },
  };
}

const SURROUNDINGS: Surroundings = {
  // On abort, throw the signal's reason instead of the timer's own AbortError.
  sleep: (milliseconds, signal) =>
    setTimeout(milliseconds, undefined, { signal }).catch(() => {
      signal.throwIfAborted();
    }),
  now: Date.now,
  random: Math.random,
};

const KEYS = {
  url: true,
  next: true,
  items: true,
  allowErrors: true,
  allowNullItems: true,
  headers: true,
  body: true,
  allowOrigins: true,
  timeout: true,
  retry: true,
  maxBodyBytes: true,
  charset: true,
  allowRepeatedPages: true,
  maxEmptyPages: true,
  unsafeNumbers: true,
  fetch: true,
} as const satisfies Record<keyof HttpPagesOptions, true>;

type Configured = Omit<RequestSettings, keyof Surroundings | "headers" | "origins" | "endStatuses">;

function check(options: HttpPagesOptions): Configured {
  rejectUnknownKeys(options, Object.keys(KEYS), "httpPages(...)");
  if (typeof options.url !== "function") toUrl(options.url);
  checkNext(options.next);
  if (options.headers !== undefined && typeof options.headers !== "function") toHeaders(options.headers);
  checkObject("body", options.body, '{ query: "…" }');
  for (const origin of options.allowOrigins ?? []) checkAllowed(origin);
  checkObject("retry", options.retry, "{ attempts: 5 }");
  const { maxRetryAfter, ...retry } = options.retry ?? {};
  return {
    fetch: options.fetch ?? ((...request) => globalThis.fetch(...request)),
    timeoutMilliseconds: toMilliseconds(options.timeout ?? { seconds: 30 }, {
      option: "timeout",
      minimum: { milliseconds: 1 },
      maximum: { minutes: 15 },
    }),
    retry: retryPolicy({ ...retry, backoff: withDefaults(retry.backoff) }, LONGEST_HIDING_MILLISECONDS),
    maxRetryAfterMilliseconds: toMilliseconds(maxRetryAfter ?? { hours: 24 }, {
      option: "retry.maxRetryAfter",
      maximum: LONGEST_SOURCE_WAIT,
    }),
    unsafeNumbers: unsafeNumbersOption(options.unsafeNumbers),
    charset: checkCharset(options.charset),
    maxBodyBytes: integerOption("maxBodyBytes", options.maxBodyBytes ?? 32 * 1_024 * 1_024, {
      minimum: 1_024,
      maximum: 256 * 1_024 * 1_024,
      fix: "request smaller pages from the API instead of using more memory",
    }),
  };
}

function checkCharset(charset: unknown): string | undefined {
  if (charset === undefined || (typeof charset === "string" && isCharset(charset))) return charset;
  throw new ConfigurationError(
    `charset must be the name of a charset, but is ${show(charset)}: use a name such as "iso-8859-1"`,
  );
}

/** Copies the body, so that a later change of the caller's object does not change the requests. */
function copyOf(body: JsonObject | undefined): JsonObject | undefined {
  if (body === undefined) return undefined;
  let copy: unknown;
  try {
    copy = fromStoredText(toStoredText(body));
  } catch (cause) {
    throw new ConfigurationError(`body must be JSON: ${toError(cause).message}`, { cause });
  }
  checkObject("body", copy, "an object whose toJSON() returns an object");
  return copy as JsonObject;
}

function checkPageItems({ items, allowErrors, allowNullItems }: HttpPagesOptions): PageItemsOptions {
  if (items !== undefined) checkPath("items", items);
  return {
    items,
    allowErrors: booleanOption("allowErrors", allowErrors ?? false),
    allowNullItems: booleanOption("allowNullItems", allowNullItems ?? false),
  };
}

function checkObject(option: string, value: unknown, example: string): void {
  if (value === undefined || (typeof value === "object" && value !== null && !Array.isArray(value))) return;
  throw new ConfigurationError(`${option} must be an object, but is ${show(value)}: write ${example}`);
}

/**
 * Fills in the defaults. The default backoff is shorter than the backoff of a task, because the whole slice of the
 * producer waits for the request.
 */
function withDefaults(backoff: RetryOptions["backoff"] = {}): NonNullable<RetryOptions["backoff"]> {
  const { cap = { seconds: 30 } } = backoff;
  const longest = toMilliseconds(cap, { option: "retry.backoff.cap" });
  return { base: { milliseconds: Math.min(500, longest) }, ...backoff, cap };
}

function checkNext(next: unknown): void {
  const isObject = typeof next === "object" && next !== null && "request" in next && "next" in next;
  if (isObject && typeof next.request === "function" && typeof next.next === "function") return;
  throw new ConfigurationError(
    `next must be a pagination, but is ${show(next)}: use linkHeader, singlePage, nextUrl({...}), cursorField({...}), ` +
      "lastItem({...}), pageNumber({...}), offsetLimit({...}) or an object with the functions request and next",
  );
}

function checkAllowed(origin: unknown): void {
  if (typeof origin === "string" && URL.canParse(origin) && new URL(origin).origin === origin) return;
  throw new ConfigurationError(
    `allowOrigins must be a list of origins, but contains ${show(origin)}: write scheme and host, such as ` +
      '"https://eu.example.com"',
  );
}

function toUrl(url: unknown): URL {
  const text = url instanceof URL ? url.href : url;
  if (typeof text !== "string" || !URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new ConfigurationError(
      `url must be an absolute URL with http or https, but is ${show(url)}: write it in full, such as ` +
        '"https://api.example.com/items"',
    );
  }
  const parsed = new URL(text);
  if (parsed.username !== "" || parsed.password !== "") {
    throw new ConfigurationError(
      `url must not contain a user or a password (${parsed.host}): set headers: { authorization: "Basic …" } instead`,
    );
  }
  return parsed;
}

function headersOf({ headers }: HttpPagesOptions, context: ReadContext): HeadersInput | Promise<HeadersInput> {
  return typeof headers === "function" ? headers(context) : (headers ?? {});
}

/**
 * A digest of the items of a page. It does not cover the rest of the body, which may contain a time or the id of the
 * request.
 */
function digest(items: readonly unknown[]): string {
  return createHash("sha256")
    .update(jsonText(items) ?? "")
    .digest("base64url")
    .slice(0, 12);
}

const cursorSchema = z.strictObject({
  /** The position of the next page. */
  at: z.custom<ExactJson>((at) => at !== undefined),
  /** The digest of the items of the page before. */
  seen: z.string(),
  /** How many pages directly before the next page had no items. Absent: 0. */
  empty: z.int().nonnegative().default(0),
});

/** The parsed cursor. It identifies the page to read next. */
interface ParsedCursor {
  readonly at: ExactJson;
  readonly seen: string;
  readonly empty: number;
}

function readCursor(cursor: Cursor): ParsedCursor {
  const parsed = cursorSchema.safeParse(cursor);
  if (parsed.success) return parsed.data;
  throw new SourceError(
    `the cursor ${show(cursor)} does not come from httpPages(...): the workflow's source was probably replaced. Start a ` +
      "new run",
  );
}

function repeated(at: ExactJson): SourceError {
  return new SourceError(
    `the page at ${show(at)} has the same items as the page before it: the API seems to ignore the page parameter. ` +
      "Check the name of the parameter in next, or set allowRepeatedPages: true if such pages are correct",
  );
}

function endless(at: ExactJson, empty: number): SourceError {
  return new SourceError(
    `${empty} pages in a row have no items, and the latest leads to ${show(at)}: the API seems never to say that the ` +
      "source ends. Check next, or raise maxEmptyPages if such pages are correct",
  );
}

function loopError(at: ExactJson): SourceError {
  return new SourceError(
    `the pages form a loop: the next page would be ${show(at)} again. Check next, and check whether the API marks its ` +
      "last page by another field",
  );
}
