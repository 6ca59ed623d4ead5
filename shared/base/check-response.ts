import { completeLater } from "./late-message.ts";
import { throttleOf } from "./retry-after.ts";
import { PermanentError, ResponseError, Throttled } from "./task-errors.ts";

/** Statuses of 400 to 499 that another attempt may help: timeout, misdirected, too early. */
const TEMPORARY = [408, 421, 425];

/** Of a body, in an error's message. */
const SHOWN_CHARACTERS = 500;
/** Of a body, read at the most. */
const READ_BYTES = 4_096;
/** A body that stalls is not waited for any longer. */
const READ_MILLISECONDS = 1_000;

/**
 * Returns a response whose status is 200 to 299, and throws the right error for any other:
 *
 * | status | error | what follows |
 * | --- | --- | --- |
 * | 429; 403 and 503 if the response says how long to wait | `Throttled` | a wait, no attempt is used up |
 * | 408, 421, 425, and 500 to 599 otherwise | `ResponseError` | a failed attempt, the backoff follows |
 * | all other ones | `PermanentError` | the item becomes a dead letter at once |
 *
 * A redirect arrives here only if `fetch` was told not to follow it, and is a `PermanentError`: handle 304 before if
 * you send conditional requests.
 *
 * The message has the status, the start of the body and the URL without its query, which may hold a secret. The body is
 * read after the error was thrown, so its start is in the message once the attempt is recorded, but not yet in a `catch`
 * of your own. Sluice reads and discards the body so that the connection can be used again: read it yourself before you
 * call this function if you need it.
 *
 * @throws {Throttled} The service refused because of load.
 * @throws {ResponseError} The service failed; another attempt may succeed.
 * @throws {PermanentError} Another attempt cannot succeed.
 * @example
 * ```ts
 * const response = checkResponse(await fetch(url, { signal }));
 * return await response.json();
 * ```
 */
export function checkResponse<R extends Response>(response: R): R {
  if (response.ok) return response;
  const { status } = response;
  const said = `the service answered ${status}`;
  const message = said + place(response);
  const error =
    throttleOf(response, Date.now()) !== undefined
      ? new Throttled(response, { message })
      : isTemporary(status)
        ? new ResponseError(message, { ids: { status } })
        : new PermanentError(message, { ids: { status } });
  completeLater(
    error,
    startOfBody(response).then((start) => (start === "" ? message : `${said}: ${start}${place(response)}`)),
  );
  throw error;
}

const isTemporary = (status: number): boolean => TEMPORARY.includes(status) || status < 300 || status >= 500;

/** Where it came from. User name, password and query may be secrets. */
function place({ url }: Response): string {
  const parsed = URL.parse(url);
  return parsed === null ? "" : ` (${parsed.origin}${parsed.pathname})`;
}

/** The start of the body as one line; empty if there is no body, or if other code reads it. Never rejects. */
async function startOfBody(response: Response): Promise<string> {
  if (response.body === null || response.bodyUsed || response.body.locked) return "";
  const reader = response.body.getReader();
  // A body that stalls, or never ends, gives its connection back as well.
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
    // The connection broke, or the attempt was aborted: what came until then is shown.
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…`.toWellFormed() : line;
}
