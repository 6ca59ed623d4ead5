import { setTimeout } from "node:timers/promises";
import { postSigned, type SignedAnswer, type SignedPost } from "./signed-post.ts";
import { LAST_RETRY_MILLISECONDS, MOST_ATTEMPTS } from "./timeouts.ts";

const FIRST_BACKOFF_MILLISECONDS = 200;

/** Errors of AWS that say to send the request again later. */
const REFUSED = /Throttl|TooManyRequests|LimitExceeded|RequestTimeout|ServiceUnavailable/;

/**
 * Signs a request and sends it, without a client of the SDK: such a client takes megabytes in `node_modules`. A request that
 * AWS throttles, or that gets no answer, is sent again after a backoff.
 *
 * @returns The text of the response.
 * @throws {Error} AWS refused the request: the name of the error is that of AWS, such as `AccessDeniedException`. Or there
 *   was no answer in time.
 */
export async function sendRepeatedly(request: SignedPost): Promise<string> {
  const start = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await sendOnce(request);
    } catch (error) {
      const backoff = FIRST_BACKOFF_MILLISECONDS * 2 ** (attempt - 1);
      const isLast = attempt >= MOST_ATTEMPTS || performance.now() - start + backoff > LAST_RETRY_MILLISECONDS;
      if (isLast || request.signal?.aborted === true || !mayComeBack(error)) throw error;
      await setTimeout(backoff, undefined, { signal: request.signal });
    }
  }
}

async function sendOnce(post: SignedPost): Promise<string> {
  const answer = await postSigned(post);
  if (!answer.ok) throw awsError(answer);
  return answer.text;
}

/**
 * An error of AWS, from the JSON or the XML of its response. The name can have a namespace before it and a URL after it.
 * https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
 */
function awsError({ text, status, errorType }: SignedAnswer): Error {
  const { type = errorType, message } = text.startsWith("{") ? ofJson(text) : ofXml(text);
  const name = type?.replace(/^.*#/, "").replace(/:.*$/, "") || `HTTP ${status}`;
  return Object.assign(new Error(message ?? name), { name, status });
}

function ofJson(text: string): { type?: string | undefined; message?: string | undefined } {
  try {
    const { __type: type, message, Message = message } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return {
      ...(typeof type === "string" && { type }),
      ...(typeof Message === "string" && { message: Message }),
    };
  } catch {
    return {};
  }
}

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html */
const ofXml = (text: string) => ({
  type: /<Code>([^<]*)<\/Code>/.exec(text)?.[1],
  message: /<Message>([^<]*)<\/Message>/.exec(text)?.[1]?.replaceAll(/&(\w+|#\d+|#x[\da-f]+);/gi, unescaped),
});

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** https://www.w3.org/TR/xml/#sec-references */
function unescaped(reference: string, name: string): string {
  if (!name.startsWith("#")) return ENTITIES[name] ?? reference;
  const isHex = /^#x/i.test(name);
  return String.fromCodePoint(Number.parseInt(name.slice(isHex ? 2 : 1), isHex ? 16 : 10));
}

function mayComeBack(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === "ConnectionError" || error.name === "TimeoutError") return true;
  if (!("status" in error)) return false;
  return REFUSED.test(error.name) || error.status === 429 || Number(error.status) >= 500;
}
