import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { RequestSigner } from "./request-signer.ts";
import { REQUEST_TIMEOUT_MILLISECONDS } from "./timeouts.ts";

/** One request to a service of AWS that takes and returns JSON. */
export interface SignedRequest {
  /** The name of the service in signatures. */
  readonly service: string;
  readonly region: string;
  /** Where the service is, without a path. */
  readonly endpoint: string;
  /** The service and the action, such as `secretsmanager.GetSecretValue`. */
  readonly target: string;
  readonly body: object;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends one request to a service of AWS, with the credentials that the SDK finds, and returns the response's body. It has
 * one attempt. For a service that is rarely asked, the SDK's client would make the bundles up to 200 KB larger.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * @throws {Error} The service refused the request. The name of the error is that of AWS, such as `AccessDeniedException`.
 * @example await signedRequest({ service: "events", target: "AWSEvents.PutEvents", region, endpoint, body: { Entries } })
 */
export async function signedRequest(request: SignedRequest): Promise<Readonly<Record<string, unknown>>> {
  const { service, region, endpoint, target, signal } = request;
  const { ok, status, text } = await postSigned({
    service,
    region,
    endpoint,
    headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": target },
    body: JSON.stringify(request.body),
    credentials: await defaultProvider()(),
    signal,
  });
  if (!ok) throw awsError(parsed(text), status);
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}

/** The JSON of an error. A proxy may answer with something else. */
function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/** The credentials of a request. */
export interface RequestCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** A request to a service of AWS, in any of its protocols. */
export interface SignedPost extends Pick<SignedRequest, "service" | "region" | "endpoint" | "signal"> {
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
}

/**
 * Signs a request, sends it once, and reads the response.
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
    return { ok: response.ok, status: response.status, text: await response.text() };
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

/** The domain of AWS in a region, without the name of a service. */
export const awsDomain = (region: string): string =>
  `${region}.${region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com"}`;

function awsError(body: Readonly<Record<string, unknown>>, status: number): Error {
  const type = typeof body.__type === "string" ? body.__type.replace(/^.*#/, "") : `HTTP ${status}`;
  const message = body.message ?? body.Message;
  return Object.assign(new Error(typeof message === "string" ? message : type), { name: type });
}
