import { endpointFrom } from "./regional-endpoint.ts";
import { signedRequest } from "./signed-request.ts";

/**
 * Reads the text of a secret from AWS Secrets Manager, with the credentials that the SDK finds.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 *
 * @param secret The ARN or the name of the secret.
 * @param environment Environment variables: `AWS_REGION`, and those that choose an endpoint.
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
  const { SecretString } = await signedRequest({
    service: "secretsmanager",
    target: "secretsmanager.GetSecretValue",
    region,
    endpoint: endpointFrom(environment, { service: "secretsmanager", variable: "SECRETS_MANAGER", region }),
    body: { SecretId: secret },
    signal,
  });
  if (typeof SecretString === "string") return SecretString;
  throw new Error("the secret has no text: it must have a SecretString");
}
