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

export interface HttpPagesOptions {
  /**
   * The first page. A function is asked when the reading starts, so that the URL may come from the environment of the
   * deployed function. The query is kept on the pages that follow, unless these come as whole URLs: it stays byte for
   * byte but for the parameters of `next`, which replace those of their name or are added at the end.
   *
   * `fetch` sends every URL as the URL standard writes it (https://url.spec.whatwg.org/#query-state): in a query it
   * encodes spaces, `"`, `'`, `<`, `>` and characters beyond ASCII (`'open'` is sent as `%27open%27`), the same on every
   * page. Anything else is sent as it is written here.
   */
  readonly url: string | URL | (() => string | URL);
  /**
   * How one page leads to the next: `linkHeader`, `nextUrl(...)`, `cursorField(...)`, `lastItem(...)`,
   * `pageNumber(...)`, `offsetLimit(...)`, `singlePage`, or your own.
   */
  readonly next: Pagination;
  /** Where the list of items stands in the body. Default: the body is the list. */
  readonly items?: Path;
  /**
   * Whether a page counts whose body reports `errors`, as GraphQL does beside `data`. Default `false`: it is an error,
   * because the page may lack items. With `true` the errors are a warning in the run's summary.
   */
  readonly allowErrors?: boolean;
  /**
   * Whether `null` in place of the list of items is an empty list, as some servers written in Go mean it. Default
   * `false`: it is an error, because GraphQL answers `null` for a list that it could not read.
   */
  readonly allowNullItems?: boolean;
  /** Of each request; a function is asked before each attempt. They go to the origin of `url` and `allowOrigins`. */
  readonly headers?: HeadersInput | ((context: ReadContext) => HeadersInput | Promise<HeadersInput>);
  /**
   * A JSON object to send: the request is then a POST. It is copied when the source is defined, and is the same on every
   * page but for the fields that `next` sets.
   */
  readonly body?: JsonObject;
  /** Other origins, such as `"https://eu.example.com"`, that may get the headers. Default: none. */
  readonly allowOrigins?: readonly string[];
  /** Of one attempt, the body included, and of the function `headers` before it: 1 ms to 15 min. Default 30 s. */
  readonly timeout?: Duration;
  /**
   * How a request is tried again after a network error, a timeout, 408, 429 or 5xx. Default 5 attempts, a backoff of
   * 500 ms doubled up to 30 s, with full jitter.
   *
   * Where a 408, 429, 5xx or 403 says how long to wait (`Retry-After` in seconds or as an HTTP date, `RateLimit`,
   * `X-RateLimit-Remaining: 0` with `X-RateLimit-Reset`), no request is sent before that time, and it counts as no
   * attempt: the run waits, which costs nothing, and goes on from the same cursor. So does one whose attempts all ended
   * in 429.
   */
  readonly retry?: RetryOptions & {
    /**
     * The longest wait that the service may ask for, up to 8 days: SQS keeps the message that continues the run for 10.
     * Default 24 h. A longer one fails the run at once; `resume` goes on from the same cursor.
     */
    readonly maxRetryAfter?: Duration;
  };
  /** The largest body, in bytes, as it stands in memory: 1 KiB to 256 MiB. Default 32 MiB. A larger one is an error. */
  readonly maxBodyBytes?: number;
  /**
   * The charset of the bodies, such as `"iso-8859-1"`, for a service that declares none or a wrong one. Default: the one
   * that the content type declares, else UTF-8. A byte order mark comes before both. Bytes that are not of the charset are
   * an error.
   */
  readonly charset?: string;
  /**
   * Whether a page may hold the very items of the page before it. By default that is an error: an API that ignores the
   * parameter of the page answers the first one for ever.
   */
  readonly allowRepeatedPages?: boolean;
  /**
   * How many pages in a row may have no items and lead to another page: at least 0. One more is an error, since an API
   * that never says that the source ends would be asked for ever. Default 1,000.
   */
  readonly maxEmptyPages?: number;
  /**
   * What becomes of a number that JavaScript would alter, such as the id `12345678901234567`. Default `"refuse"`: its item
   * becomes a dead letter, `invalid item`, and a cursor that holds one is an error. `"text"` keeps it as a string,
   * `"bigint"` an integer as a bigint: the task gets that, and a cursor is sent back as the same number.
   */
  readonly unsafeNumbers?: UnsafeNumbers;
  /** In place of the global one: to sign requests, to go through a proxy. It must not follow redirects. */
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * A source over a REST API that answers JSON in pages.
 *
 * The cursor holds the next page's position, without host and port where that is of the same origin as `url`: a run
 * can go on after the API has moved.
 *
 * @throws {ConfigurationError} An option is missing, unknown or out of its range.
 * @throws {Throttled} When it is read: the service asks to wait. A run does, without cost.
 * @throws {SourceError} When it is read: a request failed permanently, the body has no list of items where it should be, or
 *   reports errors, or the pages go round in a circle.
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
    mend: "leave it out, unless the API gives many pages without items in a row",
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
      let here: Here | undefined = cursor === undefined ? undefined : readCursor(cursor);
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
        if (loop.isRepeated(at) || isDeepStrictEqual(at, here?.at)) throw circle(at);
        const empty = items.length > 0 ? 0 : (here?.empty ?? 0) + 1;
        if (empty > maxEmptyPages) throw endless(at, empty);
        here = { at, seen, empty };
        yield { items: exact, next: { at, seen, ...(empty > 0 && { empty }) } };
      }
    },
  };
}

const SURROUNDINGS: Surroundings = {
  // The reason stands in the signal; the timer's own AbortError would hide it.
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
  checkObject("body", options.body, 'its fields, such as { query: "…" }');
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
      mend: "ask the API for smaller pages rather than for more memory",
    }),
  };
}

function checkCharset(charset: unknown): string | undefined {
  if (charset === undefined || (typeof charset === "string" && isCharset(charset))) return charset;
  throw new ConfigurationError(
    `charset must be the name of a charset, but is ${show(charset)}: give one, such as "iso-8859-1"`,
  );
}

/** What a caller changes in the object later must not change the pages that follow. */
function copyOf(body: JsonObject | undefined): JsonObject | undefined {
  if (body === undefined) return undefined;
  let copy: unknown;
  try {
    copy = fromStoredText(toStoredText(body));
  } catch (cause) {
    throw new ConfigurationError(`body must be JSON: ${toError(cause).message}`, { cause });
  }
  checkObject("body", copy, "an object that is one in JSON, too");
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

function checkObject(option: string, value: unknown, mend: string): void {
  if (value === undefined || (typeof value === "object" && value !== null && !Array.isArray(value))) return;
  throw new ConfigurationError(`${option} must be an object, but is ${show(value)}: give ${mend}`);
}

/** Shorter than those of a task: the whole slice of the producer waits. */
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
    `allowOrigins must hold origins, but has ${show(origin)}: give scheme and host, such as "https://eu.example.com"`,
  );
}

function toUrl(url: unknown): URL {
  const text = url instanceof URL ? url.href : url;
  if (typeof text !== "string" || !URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new ConfigurationError(
      `url must be an absolute URL of http or https, but is ${show(url)}: give one, such as "https://api.example.com/items"`,
    );
  }
  const parsed = new URL(text);
  if (parsed.username !== "" || parsed.password !== "") {
    throw new ConfigurationError(
      `url must not hold a user or password (${parsed.host}): give them as headers: { authorization: "Basic …" }`,
    );
  }
  return parsed;
}

function headersOf({ headers }: HttpPagesOptions, context: ReadContext): HeadersInput | Promise<HeadersInput> {
  return typeof headers === "function" ? headers(context) : (headers ?? {});
}

/** Of a page's items and not of its body, which may hold a time or a request's id. */
function digest(items: readonly unknown[]): string {
  return createHash("sha256")
    .update(jsonText(items) ?? "")
    .digest("base64url")
    .slice(0, 12);
}

const cursorSchema = z.strictObject({
  /** The position of the next page. */
  at: z.custom<ExactJson>((at) => at !== undefined),
  /** The digest of the items before it. */
  seen: z.string(),
  /** How many pages before it, in a row, had no items. Absent: none. */
  empty: z.int().nonnegative().default(0),
});

interface Here {
  readonly at: ExactJson;
  readonly seen: string;
  readonly empty: number;
}

function readCursor(cursor: Cursor): Here {
  const parsed = cursorSchema.safeParse(cursor);
  if (parsed.success) return parsed.data;
  throw new SourceError(
    `the cursor ${show(cursor)} is not one of httpPages(...): was the workflow's source replaced? Start a new run`,
  );
}

function repeated(at: ExactJson): SourceError {
  return new SourceError(
    `the page at ${show(at)} holds the same items as the one before it: the API seems to ignore the page's parameter. ` +
      "Check its name in next, or set allowRepeatedPages if such pages are right",
  );
}

function endless(at: ExactJson, empty: number): SourceError {
  return new SourceError(
    `${empty} pages in a row have no items, and the latest leads to ${show(at)}: the API seems not to say that the source ` +
      "ends. Check next, or raise maxEmptyPages if such pages are right",
  );
}

function circle(at: ExactJson): SourceError {
  return new SourceError(
    `the pages go round in a circle: the page after this one would be ${show(at)} again. Check next, or whether the ` +
      "API tells its last page by another field",
  );
}
