import { formatDuration } from "../base/duration.ts";
import { ConfigurationError, SourceError, toError } from "../base/errors.ts";
import { jsonText, type MarkedJson, parseMarkedJson, type UnsafeNumbers } from "../base/exact-json.ts";
import { backoffMilliseconds, type RetryPolicy } from "../base/retry.ts";
import { requestedWaitMilliseconds, throttleOf } from "../base/retry-after.ts";
import { Throttled } from "../base/task-errors.ts";
import { isErrorLike } from "../base/thrown.ts";
import type { Answer } from "./body-path.ts";
import type { PageRequest } from "./pagination.ts";
import { decodeBody, decodeForMessage, readChunks } from "./response-text.ts";

/** The clock, the randomness and the timer of a source. Tests replace them. */
export interface Surroundings {
  /** Resolves after a time. Rejects with the signal's reason if the signal fires first. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** The time in milliseconds since 1970. */
  now(): number;
  /** A random number, uniform in [0, 1). */
  random(): number;
}

/**
 * Headers: an object from names to values, or an instance of `Headers`.
 *
 * @example `{ authorization: "Bearer …" }`
 */
export type HeadersInput = Headers | Readonly<Record<string, string>>;

/** How a source sends its requests. */
export interface RequestSettings extends Surroundings {
  readonly fetch: typeof globalThis.fetch;
  /** Called before each attempt, so that a token can be fresh. */
  readonly headers: (signal: AbortSignal) => HeadersInput | Promise<HeadersInput>;
  /** The timeout of one attempt, from the request to the last byte of the body. */
  readonly timeoutMilliseconds: number;
  readonly retry: RetryPolicy;
  /** The longest wait that the service may request. */
  readonly maxRetryAfterMilliseconds: number;
  readonly maxBodyBytes: number;
  readonly unsafeNumbers: UnsafeNumbers;
  /** The charset of the bodies. `undefined`: the charset that their content type declares. */
  readonly charset: string | undefined;
  /**
   * The origins to which requests may go. The first one is the origin of the option `url`. Sluice never sends a request
   * to another origin, because the request would contain the headers, which can be secrets.
   */
  readonly origins: readonly [string, ...string[]];
  /**
   * The statuses with which the API says that a page does not exist, and whether the requested page is page 1, which
   * must exist.
   */
  readonly endStatuses: { readonly statuses: readonly number[]; readonly isFirst: boolean };
}

/** A successful response. */
export interface HttpAnswer extends Answer {
  readonly url: URL;
  /** Whether the body contains an `UnsafeNumber`. */
  readonly marked: boolean;
}

type Outcome =
  | { readonly tag: "answered"; readonly answer: HttpAnswer | "past the end" }
  | { readonly tag: "failed"; readonly error: SourceError }
  /**
   * The service asks for fewer requests. `waitMilliseconds` says for how long the service wants no request.
   * `undefined`: the service does not say.
   */
  | { readonly tag: "throttled"; readonly error: SourceError; readonly waitMilliseconds: number | undefined };

const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 5;
const ERROR_BODY_BYTES = 4_096;
const SHOWN_CHARACTERS = 200;

/**
 * Requests a JSON document. Retries after a backoff if the network failed, the attempt took too long, or the status
 * says that a retry may succeed.
 *
 * @throws {Throttled} The service asks to wait, or refused the last attempt because of load. The producer then sends no
 *   request before that time. Waiting inside this function would cost Lambda time.
 * @throws {SourceError} The request failed permanently. The message contains method, origin, path, status and the start
 *   of the body. It leaves out the query, which may contain a secret.
 * @returns the response, or `"past the end"` if its status is one of `endStatuses`.
 */
export async function requestJson(
  request: PageRequest,
  signal: AbortSignal,
  settings: RequestSettings,
): Promise<HttpAnswer | "past the end"> {
  const { attempts } = settings.retry;
  for (let attempt = 1; ; attempt++) {
    const outcome = await tryOnce(request, signal, settings);
    if (outcome.tag === "answered") return outcome.answer;
    const { error } = outcome;
    if (outcome.tag === "throttled" && outcome.waitMilliseconds !== undefined && outcome.waitMilliseconds > 0) {
      throw waitError(error, outcome.waitMilliseconds, settings.maxRetryAfterMilliseconds);
    }
    if (attempt === attempts) {
      const message = attempts === 1 ? error.message : `${error.message} (${attempts} attempts)`;
      if (outcome.tag === "throttled") throw new Throttled(undefined, { message, cause: error });
      throw attempts === 1 ? error : new SourceError(message, { cause: error });
    }
    await settings.sleep(backoffMilliseconds(settings.retry, attempt, settings.random()), signal);
  }
}

function waitError(error: SourceError, milliseconds: number, longest: number): Throttled | SourceError {
  const asks = `${error.message} (the service asks to wait ${formatDuration(Math.ceil(milliseconds / 1_000) * 1_000)}`;
  if (milliseconds <= longest) return new Throttled({ milliseconds }, { message: `${asks})`, cause: error });
  const message =
    `${asks}, longer than retry.maxRetryAfter of ${formatDuration(longest)}: raise maxRetryAfter, or resume the run when ` +
    "the service accepts requests again)";
  return new SourceError(message, { cause: error, permanent: true });
}

/** Makes one attempt. Throws if another attempt would fail in the same way. */
async function tryOnce(request: PageRequest, signal: AbortSignal, settings: RequestSettings): Promise<Outcome> {
  signal.throwIfAborted();
  const headers = headersOf(await headersInTime(signal, settings), request);
  const timeout = AbortSignal.timeout(settings.timeoutMilliseconds);
  const where = describe(request, request.url);
  try {
    const { response, url } = await send(request, headers, AbortSignal.any([signal, timeout]), settings);
    const what = describe(request, url);
    const { statuses, isFirst } = settings.endStatuses;
    const isEnd = statuses.includes(response.status);
    if (isEnd && !isFirst) {
      await response.body?.cancel();
      return { tag: "answered", answer: "past the end" };
    }
    if (!response.ok) {
      const { chunks } = await readChunks(response, ERROR_BODY_BYTES);
      const text = decodeForMessage(chunks, response.headers);
      const error = new SourceError(
        `${what} answered ${response.status} ${response.statusText}: ${startOf(text)}` +
          `${isEnd ? " (page 1 must exist: endStatuses ends the source only after page 1)" : ""}`,
      );
      const throttle = throttled(response, settings.now());
      if (throttle !== undefined) return { tag: "throttled", error, ...throttle };
      if (mayTryAgain(response.status)) return { tag: "failed", error };
      throw error;
    }
    const { chunks, complete } = await readChunks(response, settings.maxBodyBytes);
    if (!complete) {
      throw new SourceError(
        `${what} answered with more than ${settings.maxBodyBytes} bytes: request smaller pages, or raise maxBodyBytes`,
      );
    }
    const text = decodeBody(chunks, { headers: response.headers, charset: settings.charset, what });
    const { value: body, marked } = parse(text, response, what, settings.unsafeNumbers);
    return { tag: "answered", answer: { url, headers: response.headers, body, marked } };
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    const error = toError(thrown);
    if (error instanceof SourceError) throw error;
    const reason = timeout.aborted
      ? `took longer than ${formatDuration(settings.timeoutMilliseconds)}`
      : `failed: ${withCause(error)}`;
    return { tag: "failed", error: new SourceError(`${where} ${reason}`, { cause: error }) };
  }
}

/**
 * @throws {ConfigurationError} HTTP does not allow the headers. The message shows no value of a header, because the
 *   value may be a secret.
 */
export function toHeaders(input: unknown): Headers {
  try {
    return new Headers(input as HeadersInput);
  } catch {
    throw new ConfigurationError(
      'headers must be an object of names and values that HTTP allows, such as { authorization: "Bearer …" }: ' +
        "remove invalid characters, such as a newline in a value",
    );
  }
}

/**
 * Returns the headers that the option `headers` gives. If the option is a function, it may wait for a token, but no
 * longer than the timeout.
 */
async function headersInTime(signal: AbortSignal, settings: RequestSettings): Promise<HeadersInput> {
  const headers = settings.headers(signal);
  if (!(headers instanceof Promise)) return headers;
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const abortOrTimeout = AbortSignal.any([signal, AbortSignal.timeout(settings.timeoutMilliseconds)]);
  const took = `the function headers took longer than ${formatDuration(settings.timeoutMilliseconds)} (timeout)`;
  const stop = () => reject(signal.aborted ? signal.reason : new SourceError(took));
  abortOrTimeout.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([headers, stopped]);
  } finally {
    abortOrTimeout.removeEventListener("abort", stop);
  }
}

function headersOf(input: HeadersInput, { body }: PageRequest): Headers {
  const headers = toHeaders(input);
  if (!headers.has("accept")) headers.set("accept", "application/json");
  if (body !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
  return headers;
}

/**
 * Sends a request, and follows redirects. `fetch` does not follow them, because it would send headers such as
 * `x-api-key` to any origin.
 */
async function send(
  request: PageRequest,
  headers: Headers,
  signal: AbortSignal,
  settings: RequestSettings,
): Promise<{ readonly response: Response; readonly url: URL }> {
  const { body } = request;
  const init = { signal, headers, redirect: "manual" as const };
  let url = request.url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    checkOrigin(url, settings.origins);
    const response = await settings.fetch(
      url,
      body === undefined ? init : { ...init, method: "POST", body: jsonText(body) ?? null },
    );
    const location = response.headers.get("location");
    if (!REDIRECTS.includes(response.status) || location === null) return { response, url };
    await response.body?.cancel();
    const moved = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    // According to the HTTP standard, a POST that is redirected with 301, 302 or 303 becomes a GET and loses its body.
    if (moved === undefined || (body !== undefined && response.status < 307)) {
      throw new SourceError(
        `${describe(request, url)} answered ${response.status}, a redirect to ${JSON.stringify(location)} that cannot ` +
          "be followed: set the option url to the new address",
      );
    }
    url = moved;
  }
  throw new SourceError(`${describe(request, request.url)} was redirected more than ${MAX_REDIRECTS} times`);
}

function checkOrigin({ origin, protocol, username, password }: URL, origins: readonly string[]): void {
  if (protocol !== "http:" && protocol !== "https:") {
    throw new SourceError(`the next page is at a URL with ${protocol}, but must be at http: or https: check the path`);
  }
  if (username !== "" || password !== "") {
    throw new SourceError(
      `the next page is at a URL of ${origin} that contains a user or a password, which fetch does not send: set ` +
        'headers: { authorization: "Basic …" }, and use a function as the path that returns the URL without them',
    );
  }
  if (origins.includes(origin)) return;
  throw new SourceError(
    `the next page is at ${origin}, another origin than ${origins[0]}. Sluice did not request it, because the request ` +
      `would contain the headers. To allow such requests, set allowOrigins: [${JSON.stringify(origin)}]`,
  );
}

/**
 * Whether a response asks for fewer requests. This is so if the service refused the request because of load, or if a
 * retry may succeed and the response says when. A 403 can mean too few rights or too many requests: GitHub sends it for
 * both, and for too many requests it also says how long to wait.
 */
function throttled(response: Response, now: number): { readonly waitMilliseconds: number | undefined } | undefined {
  const throttle = throttleOf(response, now);
  if (throttle !== undefined || !mayTryAgain(response.status)) return throttle;
  const waitMilliseconds = requestedWaitMilliseconds(response.headers, now);
  return waitMilliseconds === undefined ? undefined : { waitMilliseconds };
}

const mayTryAgain = (status: number): boolean => status === 408 || status === 429 || status >= 500;

function parse(text: string, response: Response, what: string, unsafeNumbers: UnsafeNumbers): MarkedJson {
  if (response.status === 204) return { value: undefined, marked: false };
  try {
    return parseMarkedJson(text, unsafeNumbers);
  } catch (cause) {
    const type = response.headers.get("content-type") ?? "no content type";
    throw new SourceError(`${what} did not answer with JSON (${type}): ${startOf(text)}`, { cause });
  }
}

function describe(request: PageRequest, { origin, pathname, search }: URL): string {
  return `${request.body === undefined ? "GET" : "POST"} ${origin}${pathname}${search === "" ? "" : "?…"}`;
}

function startOf(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  if (line === "") return "(an empty body)";
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line;
}

/** The message of `fetch` is only "fetch failed". Its cause says what failed. */
function withCause(error: Error): string {
  if (!isErrorLike(error.cause)) return error.message;
  const cause = toError(error.cause);
  return `${error.message} (${cause.message || cause.name})`;
}
