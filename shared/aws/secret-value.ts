import { awsDomain, signedRequest } from "./signed-request.ts";

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
  const [, , , ofSecret] = secret.startsWith("arn:") ? secret.split(":") : [];
  const region = ofSecret ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION;
  if (region === undefined) throw new Error("the region is unknown: set AWS_REGION, or give the ARN of the secret");
  const endpoint =
    environment.AWS_ENDPOINT_URL_SECRETS_MANAGER ??
    environment.AWS_ENDPOINT_URL ??
    `https://secretsmanager.${awsDomain(region)}`;
  const { SecretString } = await signedRequest({
    service: "secretsmanager",
    target: "secretsmanager.GetSecretValue",
    region,
    endpoint,
    body: { SecretId: secret },
    signal,
  });
  if (typeof SecretString === "string") return SecretString;
  throw new Error("the secret has no text: it must have a SecretString");
}
