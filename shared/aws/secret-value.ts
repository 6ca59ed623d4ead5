import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { RequestSigner } from "./request-signer.ts";
import { REQUEST_TIMEOUT_MILLISECONDS } from "./timeouts.ts";

/**
 * Reads the text of a secret from AWS Secrets Manager, with the credentials that the SDK finds.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 *
 * @param secret The ARN or the name of the secret.
 * @param environment Environment variables: `AWS_REGION`, and `AWS_ENDPOINT_URL_SECRETS_MANAGER` for another endpoint.
 * @throws {Error} The secret cannot be read. The name of the error is that of AWS, such as `AccessDeniedException`.
 */
export async function secretText(
  secret: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<string> {
  const [, partition, , ofSecret] = secret.startsWith("arn:") ? secret.split(":") : [];
  const region = ofSecret ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION;
  if (region === undefined) throw new Error("the region is unknown: set AWS_REGION, or give the ARN of the secret");
  const domain = partition === "aws-cn" || region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const base =
    environment.AWS_ENDPOINT_URL_SECRETS_MANAGER ??
    environment.AWS_ENDPOINT_URL ??
    `https://secretsmanager.${region}.${domain}`;
  const url = new URL("/", base);
  const { accessKeyId, secretAccessKey, sessionToken } = await defaultProvider()();
  const request = {
    service: "secretsmanager",
    region,
    method: "POST",
    host: url.host,
    path: "/",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "secretsmanager.GetSecretValue",
    },
    body: JSON.stringify({ SecretId: secret }),
  };
  const { headers } = new RequestSigner(request, {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
  }).sign();
  const response = await fetch(url, {
    method: "POST",
    headers: headers as Record<string, string>,
    body: request.body,
    redirect: "error",
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MILLISECONDS)]),
  });
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (!response.ok) throw awsError(body, response.status);
  if (typeof body.SecretString === "string") return body.SecretString;
  throw new Error("the secret has no text: it must have a SecretString");
}

function awsError(body: Record<string, unknown>, status: number): Error {
  const type = typeof body.__type === "string" ? body.__type.replace(/^.*#/, "") : `HTTP ${status}`;
  const message = body.message ?? body.Message;
  return Object.assign(new Error(typeof message === "string" ? message : type), { name: type });
}
