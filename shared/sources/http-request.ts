import { formatDuration } from "../base/duration.ts";
import { ConfigurationError, SourceError, toError } from "../base/errors.ts";
import { jsonText, type MarkedJson, parseMarkedJson, type UnsafeNumbers } from "../base/exact-json.ts";
import { backoffMilliseconds, type RetryPolicy } from "../base/retry.ts";
import { askedWaitMilliseconds, throttleOf } from "../base/retry-after.ts";
import { Throttled } from "../base/task-errors.ts";
import { isErrorLike } from "../base/thrown.ts";
import type { Answer } from "./body-path.ts";
import type { PageRequest } from "./pagination.ts";
import { decodeBody, decodeForMessage, readChunks } from "./response-text.ts";

/** What tests replace. */
export interface Surroundings {
  /** Resolves after a time, or rejects with the signal's reason. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Headers by name, or made with `new Headers(...)`. */
export type HeadersInput = Headers | Readonly<Record<string, string>>;

export interface RequestSettings extends Surroundings {
  readonly fetch: typeof globalThis.fetch;
  /** Asked before each attempt, so that a token can be fresh. */
  readonly headers: (signal: AbortSignal) => HeadersInput | Promise<HeadersInput>;
  /** Of one attempt, from the request to the body's last byte. */
  readonly timeoutMilliseconds: number;
  readonly retry: RetryPolicy;
  /** The longest wait that the service may ask for. */
  readonly maxRetryAfterMilliseconds: number;
  readonly maxBodyBytes: number;
  readonly unsafeNumbers: UnsafeNumbers;
  /** The charset of bodies, in place of the one that their content type declares. */
  readonly charset: string | undefined;
  /** The first is the configured one. No request goes to another origin, as it would carry the headers there. */
  readonly origins: readonly [string, ...string[]];
  /** Statuses with which the API says that there is no such page, and whether it is page 1, which must exist. */
  readonly endStatuses: { readonly statuses: readonly number[]; readonly isFirst: boolean };
}

export interface HttpAnswer extends Answer {
  readonly url: URL;
  /** Whether an `UnsafeNumber` stands in the body. */
  readonly marked: boolean;
}

type Outcome =
  | { readonly tag: "answered"; readonly answer: HttpAnswer | "past the end" }
  | { readonly tag: "failed"; readonly error: SourceError }
  /** The service asks for fewer requests: `waitMilliseconds` tells how long there should be none, if it says so. */
  | { readonly tag: "throttled"; readonly error: SourceError; readonly waitMilliseconds: number | undefined };

const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 5;
const ERROR_BODY_BYTES = 4_096;
const SHOWN_CHARACTERS = 200;

/**
 * Requests a JSON document, and again after a backoff if the network failed, the time ran out, or the server said that
 * it may be tried again.
 *
 * @throws {Throttled} The service asks to wait, or refused each attempt because of load. The
 *   producer then sends no request before that time; a wait in this function would be paid for.
 * @throws {SourceError} It failed for good: method, origin, path, status and the start of the body are in the message;
 *   the query is not, since it may hold a secret.
 * @returns the answer, or `"past the end"` if its status is one of `endStatuses`.
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
      throw toWait(error, outcome.waitMilliseconds, settings.maxRetryAfterMilliseconds);
    }
    if (attempt === attempts) {
      const message = attempts === 1 ? error.message : `${error.message} (${attempts} attempts)`;
      if (outcome.tag === "throttled") throw new Throttled(undefined, { message, cause: error });
      throw attempts === 1 ? error : new SourceError(message, { cause: error });
    }
    await settings.sleep(backoffMilliseconds(settings.retry, attempt, settings.random()), signal);
  }
}

function toWait(error: SourceError, milliseconds: number, longest: number): Throttled | SourceError {
  const asks = `${error.message} (it asks to wait ${formatDuration(Math.ceil(milliseconds / 1_000) * 1_000)}`;
  if (milliseconds <= longest) return new Throttled({ milliseconds }, { message: `${asks})`, cause: error });
  const message =
    `${asks}, longer than retry.maxRetryAfter of ${formatDuration(longest)}: raise it, or resume the run when the ` +
    "service accepts requests again)";
  return new SourceError(message, { cause: error, permanent: true });
}

/** One attempt. What another attempt cannot help is thrown. */
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
          `${isEnd ? " (page 1 must exist: endStatuses can only end the source after page 1)" : ""}`,
      );
      const throttle = throttled(response, settings.now());
      if (throttle !== undefined) return { tag: "throttled", error, ...throttle };
      if (mayTryAgain(response.status)) return { tag: "failed", error };
      throw error;
    }
    const { chunks, complete } = await readChunks(response, settings.maxBodyBytes);
    if (!complete) {
      throw new SourceError(
        `${what} answered more than ${settings.maxBodyBytes} bytes: ask for smaller pages, or raise maxBodyBytes`,
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

/** @throws {ConfigurationError} They are not what HTTP allows. The message shows no value: it may be a secret. */
export function toHeaders(input: unknown): Headers {
  try {
    return new Headers(input as HeadersInput);
  } catch {
    throw new ConfigurationError(
      'headers must be an object of names and values that HTTP allows, such as { authorization: "Bearer …" }: ' +
        "mend the one that is not, such as a value with a newline",
    );
  }
}

/** What the option `headers` gives. A function may wait for a token, and must not wait for ever. */
async function headersInTime(signal: AbortSignal, settings: RequestSettings): Promise<HeadersInput> {
  const headers = settings.headers(signal);
  if (!(headers instanceof Promise)) return headers;
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const either = AbortSignal.any([signal, AbortSignal.timeout(settings.timeoutMilliseconds)]);
  const took = `the function headers took longer than ${formatDuration(settings.timeoutMilliseconds)} (timeout)`;
  const stop = () => reject(signal.aborted ? signal.reason : new SourceError(took));
  either.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([headers, stopped]);
  } finally {
    either.removeEventListener("abort", stop);
  }
}

function headersOf(input: HeadersInput, { body }: PageRequest): Headers {
  const headers = toHeaders(input);
  if (!headers.has("accept")) headers.set("accept", "application/json");
  if (body !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
  return headers;
}

/** Sends it and follows redirects, by hand: `fetch` would carry headers such as `x-api-key` to any origin. */
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
    // A POST that is redirected by these becomes a GET and loses its body.
    if (moved === undefined || (body !== undefined && response.status < 307)) {
      throw new SourceError(
        `${describe(request, url)} answered ${response.status}, a redirect to ${JSON.stringify(location)} that cannot ` +
          "be followed: give the new address as url",
      );
    }
    url = moved;
  }
  throw new SourceError(`${describe(request, request.url)} was redirected more than ${MAX_REDIRECTS} times`);
}

function checkOrigin({ origin, protocol, username, password }: URL, origins: readonly string[]): void {
  if (protocol !== "http:" && protocol !== "https:") {
    throw new SourceError(`the next page is at a URL of ${protocol}, which is no page of the web: is the path right?`);
  }
  if (username !== "" || password !== "") {
    throw new SourceError(
      `the next page is at a URL of ${origin} with a user or a password in it, which fetch does not send: give them as ` +
        'headers: { authorization: "Basic …" }, and take the URL without them by a function as the path',
    );
  }
  if (origins.includes(origin)) return;
  throw new SourceError(
    `the next page is at ${origin}, another origin than ${origins[0]}: it was not requested, since the request would ` +
      `carry the headers there. If they may go there, set allowOrigins: [${JSON.stringify(origin)}]`,
  );
}

/**
 * Whether an answer asks for fewer requests: it refuses because of load, or it is one that may be tried again, and says
 * when. A 403 may be either: GitHub sends it for "too many requests" too, and then says how long to wait.
 */
function throttled(response: Response, now: number): { readonly waitMilliseconds: number | undefined } | undefined {
  const throttle = throttleOf(response, now);
  if (throttle !== undefined || !mayTryAgain(response.status)) return throttle;
  const waitMilliseconds = askedWaitMilliseconds(response.headers, now);
  return waitMilliseconds === undefined ? undefined : { waitMilliseconds };
}

const mayTryAgain = (status: number): boolean => status === 408 || status === 429 || status >= 500;

function parse(text: string, response: Response, what: string, unsafeNumbers: UnsafeNumbers): MarkedJson {
  if (response.status === 204) return { value: undefined, marked: false };
  try {
    return parseMarkedJson(text, unsafeNumbers);
  } catch (cause) {
    const type = response.headers.get("content-type") ?? "no content type";
    throw new SourceError(`${what} did not answer JSON (${type}): ${startOf(text)}`, { cause });
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

/** The message of `fetch` is "fetch failed": what failed is in its cause. */
function withCause(error: Error): string {
  if (!isErrorLike(error.cause)) return error.message;
  const cause = toError(error.cause);
  return `${error.message} (${cause.message || cause.name})`;
}
