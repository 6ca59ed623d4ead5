import { timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/**
 * Why a server of the engine refuses a request:
 *
 * - `foreign host`: its `Host` is not a loopback name, as after DNS rebinding;
 * - `web page`: it has an `Origin` header, so a browser sent it for a web page;
 * - `no key`: it has no signature in its `Authorization` header;
 * - `wrong key`: its access key id is not the engine's secret.
 */
export type Refusal = "foreign host" | "web page" | "no key" | "wrong key";

/** Says whether a request may be answered: `undefined`, or why not. */
export type RequestCheck = (headers: IncomingHttpHeaders) => Refusal | undefined;

/** Any port is allowed, because a tunnel may listen on another port. */
const LOOPBACK_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

const SCHEME = "AWS4-";
const CREDENTIAL = "Credential=";

/**
 * Makes the check that each request to a server of the engine must pass first. The engine listens on loopback, and web
 * pages can send requests there. A page whose domain name resolves to loopback even counts as the same origin.
 *
 * The key is read from the `Authorization` header only. A presigned URL holds the key in its query, which browsers and
 * logs keep, so such a request is refused as one without a key.
 *
 * @param accessKeyId The engine's secret.
 * @example const refusal = requestCheck(secret)(request.headers);
 */
export function requestCheck(accessKeyId: string): RequestCheck {
  const expected = Buffer.from(accessKeyId);
  return ({ host, origin, authorization }) => {
    if (host === undefined || !LOOPBACK_HOST.test(host)) return "foreign host";
    if (origin !== undefined) return "web page";
    const given = authorization === undefined ? undefined : keyOf(authorization);
    if (given === undefined) return "no key";
    const bytes = Buffer.from(given);
    // The length is not secret: the key of every engine has the same length.
    return bytes.length === expected.length && timingSafeEqual(bytes, expected) ? undefined : "wrong key";
  };
}

/**
 * The access key id: the first part of the credential scope.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
 */
function keyOf(authorization: string): string | undefined {
  if (!authorization.startsWith(SCHEME)) return undefined;
  const start = authorization.indexOf(CREDENTIAL);
  const end = authorization.indexOf("/", start);
  return start < 0 || end < 0 ? undefined : authorization.slice(start + CREDENTIAL.length, end);
}
