import { isThrottlingError } from "@smithy/core/retry";
import { SourceError, toError } from "../base/errors.ts";
import { Throttled } from "../base/task-errors.ts";

/** What a source wanted of AWS when a request failed. */
export interface RefusedRequest {
  /** What the source tried, such as `list s3://bucket/prefix`. */
  readonly action: string;
  /** The right in IAM that the request needs, such as `s3:ListBucket on arn:aws:s3:::bucket`. */
  readonly right: string;
  /** Whether the source must stop. */
  readonly signal: AbortSignal;
  /** How to fix an error that lasts, by the name of the error. */
  readonly fixes: Readonly<Record<string, string>>;
}

/**
 * The names that AWS gives to an error if the credentials do not allow a request.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
 */
const DENIED = ["AccessDenied", "AccessDeniedException", "AllAccessDisabled"];
const CREDENTIALS = [
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidAccessKeyId",
  "UnrecognizedClientException",
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
];

/**
 * The error that a source throws when AWS refused a request.
 *
 * A request that AWS throttled, after the client's own retries, becomes `Throttled`: a wait of the source and no failure.
 * An error that every later request would meet too, such as a missing bucket, is permanent. A refusal for lack of rights
 * is not: after a deployment, IAM may take some seconds to know a new right.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
 */
export function serviceRefusal(thrown: unknown, { action, right, signal, fixes }: RefusedRequest): unknown {
  if (signal.aborted) return signal.reason;
  if (thrown instanceof SourceError) return thrown;
  const error = toError(thrown);
  const because = `cannot ${action}: ${error.message || error.name}`;
  if (isThrottlingError(error as Parameters<typeof isThrottlingError>[0])) {
    return new Throttled(retryAfterOf(error), { message: `throttled: ${because}`, cause: thrown });
  }
  if (CREDENTIALS.includes(error.name)) {
    return new SourceError(`${because}. The credentials are missing or invalid: run aws configure, or aws sso login`, {
      cause: thrown,
    });
  }
  const fix = fixes[error.name];
  if (fix !== undefined) return new SourceError(`${because}. ${fix}`, { cause: thrown, permanent: true });
  if (DENIED.includes(error.name) || statusOf(error) === 403) {
    return new SourceError(
      `${because}. The credentials may not do it: they need ${right}. A deployed workflow gets this right from its source. ` +
        "Locally, use credentials that have it; and check the policy of the resource, and of its KMS key if it has one",
      { cause: thrown },
    );
  }
  return new SourceError(because, { cause: thrown });
}

/** The response to a `HEAD` request has no body, and so its error has no name. */
const statusOf = (error: Error): number | undefined =>
  (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode;

/** The header `Retry-After` of the response, if the service sent one. */
function retryAfterOf(error: Error): string | undefined {
  const { $response } = error as { readonly $response?: { readonly headers?: Readonly<Record<string, string>> } };
  return $response?.headers?.["retry-after"];
}
