import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { sendRepeatedly } from "./repeated-request.ts";
import type { SignedPost } from "./signed-post.ts";

/** One request to a service of AWS that takes and returns JSON. */
export interface SignedRequest extends Pick<SignedPost, "service" | "region" | "endpoint" | "signal"> {
  /** The service and the action, such as `secretsmanager.GetSecretValue`. */
  readonly target: string;
  readonly body: object;
}

/**
 * Sends one request to a service of AWS, with the credentials that the SDK finds, and returns the response's body. The request
 * is repeated as `sendRepeatedly` says. For a service that is rarely asked, the SDK's client would make the bundles up to
 * 200 KB larger.
 *
 * @throws {Error} The service refused the request. The name of the error is that of AWS, such as `AccessDeniedException`.
 * @example await signedRequest({ service: "events", target: "AWSEvents.PutEvents", region, endpoint, body: { Entries } })
 */
export async function signedRequest(request: SignedRequest): Promise<Readonly<Record<string, unknown>>> {
  const { service, region, endpoint, target, body, signal } = request;
  const text = await sendRepeatedly({
    service,
    region,
    endpoint,
    headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": target },
    body: JSON.stringify(body),
    credentials: await defaultProvider()(),
    signal,
  });
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
