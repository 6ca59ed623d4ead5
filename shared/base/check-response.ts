import { publishAdvertised } from "./advertised-rate.ts";
import { completeErrorMessageLater } from "./late-error-message.ts";
import { throttleOf } from "./retry-after.ts";
import { PermanentError, ResponseError, Throttled } from "./task-errors.ts";

/**
 * Statuses from 400 to 499 after which another attempt can succeed: request timeout, misdirected request, too early.
 */
const TEMPORARY = [408, 421, 425];

/** The most characters of a body that an error message shows. */
const SHOWN_CHARACTERS = 500;
/** The most bytes of a body that are read. */
const READ_BYTES = 4_096;
/** The longest time that reading a body may take. */
const READ_MILLISECONDS = 1_000;

/**
 * Returns a response whose status is 200 to 299, and throws the right error for any other:
 *
 * | status | error | what happens next |
 * | --- | --- | --- |
 * | 429; also 403 and 503 if the response says how long to wait | `Throttled` | a wait; it uses up no attempt |
 * | 408, 421, 425; all others below 200 or from 500 | `ResponseError` | a failed attempt; the next one follows after the backoff |
 * | all others | `PermanentError` | the item becomes a dead letter at once |
 *
 * A redirect is a `PermanentError`. `fetch` follows redirects unless you tell it not to. If you send conditional
 * requests, handle status 304 before you call this function.
 *
 * The error message contains the status, the start of the body, and the URL without its query, because a query can
 * contain a secret. Sluice reads the body after it has thrown the error. So the recorded message contains the start of
 * the body, but the message in your own `catch` does not contain it yet. Sluice then discards the rest of the body so
 * that the connection can be used again. If you need the body, read it before you call this function.
 *
 * Sluice also reads the headers of successful responses: `RateLimit` of the IETF drafts, `X-RateLimit-Remaining` with
 * `X-RateLimit-Reset` and similar ones. The fleet then starts no more requests than the service says it has left.
 *
 * @throws {Throttled} The service refused because of load.
 * @throws {ResponseError} The service failed, and another attempt can succeed.
 * @throws {PermanentError} Another attempt cannot succeed.
 * @example
 * ```ts
 * const response = checkResponse(await fetch(url, { signal }));
 * return await response.json();
 * ```
 */
export function checkResponse<R extends Response>(response: R): R {
  publishAdvertised(response.headers);
  if (response.ok) return response;
  const { status } = response;
  const summary = `the service answered ${status}`;
  const message = summary + place(response);
  const error =
    throttleOf(response, Date.now()) !== undefined
      ? new Throttled(response, { message })
      : isTemporary(status)
        ? new ResponseError(message, { ids: { status } })
        : new PermanentError(message, { ids: { status } });
  completeErrorMessageLater(
    error,
    startOfBody(response).then((start) => (start === "" ? message : `${summary}: ${start}${place(response)}`)),
  );
  throw error;
}

const isTemporary = (status: number): boolean => TEMPORARY.includes(status) || status < 300 || status >= 500;

/** The URL of a response without user name, password and query, because these can be secrets. */
function place({ url }: Response): string {
  const parsed = URL.parse(url);
  return parsed === null ? "" : ` (${parsed.origin}${parsed.pathname})`;
}

/**
 * The start of the body as one line. Empty if there is no body or if other code reads it. The promise never rejects.
 */
async function startOfBody(response: Response): Promise<string> {
  if (response.body === null || response.bodyUsed || response.body.locked) return "";
  const reader = response.body.getReader();
  // A body that stalls or never ends must release its connection as well.
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), READ_MILLISECONDS);
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let bytes = 0; bytes < READ_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // The connection broke or the attempt was aborted: show what has arrived so far.
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…`.toWellFormed() : line;
}
