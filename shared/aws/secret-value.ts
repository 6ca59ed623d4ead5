import { endpointFrom } from "./regional-endpoint.ts";
import { signedRequest } from "./signed-request.ts";

/** Environment variables: `AWS_REGION`, and those that choose an endpoint. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the text of a secret from AWS Secrets Manager, with the credentials that the SDK finds.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 *
 * @param secret The ARN or the name of the secret.
 * @throws {Error} The secret cannot be read. The name of the error is that of AWS, such as `AccessDeniedException`.
 */
export async function secretText(secret: string, environment: Environment, signal: AbortSignal): Promise<string> {
  const region = regionOf(secret, environment, "secret");
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

/**
 * Reads the value of a parameter from the Parameter Store of AWS Systems Manager, decrypted if it is a `SecureString`.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
 *
 * @param parameter The ARN or the name of the parameter.
 * @throws {Error} The parameter cannot be read. The name of the error is that of AWS, such as `ParameterNotFound`.
 */
export async function parameterText(parameter: string, environment: Environment, signal: AbortSignal): Promise<string> {
  const region = regionOf(parameter, environment, "parameter");
  const { Parameter } = await signedRequest({
    service: "ssm",
    target: "AmazonSSM.GetParameter",
    region,
    endpoint: endpointFrom(environment, { service: "ssm", variable: "SSM", region }),
    body: { Name: parameter, WithDecryption: true },
    signal,
  });
  const { Value } = (Parameter ?? {}) as { readonly Value?: unknown };
  if (typeof Value === "string") return Value;
  throw new Error("the parameter has no value");
}

function regionOf(id: string, environment: Environment, kind: string): string {
  const [, , , ofArn] = id.startsWith("arn:") ? id.split(":") : [];
  const region = ofArn ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION;
  if (region === undefined) throw new Error(`the region is unknown: set AWS_REGION, or give the ARN of the ${kind}`);
  return region;
}
