import { RequestSigner } from "./request-signer.ts";
import { REQUEST_TIMEOUT_MILLISECONDS } from "./timeouts.ts";

/** The credentials of a request. */
export interface RequestCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** A request to a service of AWS, in any of its protocols. */
export interface SignedPost {
  /** The name of the service in signatures. */
  readonly service: string;
  readonly region: string;
  /** Where the service is, without a path. */
  readonly endpoint: string;
  readonly signal?: AbortSignal | undefined;
  /** Default `POST`. */
  readonly method?: string;
  /** With the query. Default `/`. */
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty: the request has no body. */
  readonly body: string;
  readonly credentials: RequestCredentials;
}

/** A response whose body was read. */
export interface SignedAnswer {
  readonly ok: boolean;
  readonly status: number;
  readonly text: string;
  /** The header with the name of the error, which Lambda sends instead of a name in the body. */
  readonly errorType: string | null;
}

/**
 * Signs a request, sends it once, and reads the response.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * @throws {Error} There was no complete response: `TimeoutError` if it took too long, `ConnectionError` if the connection failed.
 */
export async function postSigned(post: SignedPost): Promise<SignedAnswer> {
  const { service, region, endpoint, body, signal, method = "POST", path = "/" } = post;
  const url = new URL(path, endpoint);
  const { accessKeyId, secretAccessKey, sessionToken } = post.credentials;
  const { headers } = new RequestSigner(
    { service, region, method, host: url.host, path, headers: { ...post.headers }, body },
    { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
  ).sign();
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MILLISECONDS);
  try {
    const response = await fetch(url, {
      method,
      headers: headers as Record<string, string>,
      ...(body !== "" && { body }),
      redirect: "error",
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const { ok, status, headers: answered } = response;
    return { ok, status, text: await response.text(), errorType: answered.get("x-amzn-errortype") };
  } catch (error) {
    if (signal?.aborted) throw error;
    if (timeout.aborted)
      throw failure(
        "TimeoutError",
        `no complete response from ${url.host} within ${REQUEST_TIMEOUT_MILLISECONDS} ms`,
        error,
      );
    // The message of `fetch` is always the same. Its cause says what happened.
    const { cause = error } = error as Error;
    throw failure(
      "ConnectionError",
      `no response from ${url.host}: ${cause instanceof Error ? cause.message : cause}`,
      error,
    );
  }
}

const failure = (name: string, message: string, cause: unknown): Error =>
  Object.assign(new Error(message, { cause }), { name });
