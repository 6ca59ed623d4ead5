import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";

/** Where a secret is. */
export interface SecretPlace {
  readonly service: "secretsmanager" | "ssm";
  /** The name or the ARN, as the service takes it. */
  readonly id: string;
  /** The ARN, if the reference is one. */
  readonly arn: string | undefined;
  /** The region in the ARN. */
  readonly region: string | undefined;
}

/** What a reference to a parameter begins with, if it has the name of the parameter and not its ARN. */
const PARAMETER = "ssm:";

const ARN = /^arn:[^:]+:(?:(secretsmanager):([^:]+):\d{12}:secret:.+|(ssm):([^:]+):\d{12}:parameter\/.+)$/;

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html */
const SECRET_NAME = /^[A-Za-z0-9/_+=.@-]{1,512}$/;

/** https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html */
const PARAMETER_NAME = /^[A-Za-z0-9/_.-]{1,1011}$/;

/**
 * Reads a reference to a secret: the ARN of a secret or a parameter, the name of a secret in Secrets Manager such as
 * `shop/api-key`, or `ssm:` with the name of a parameter such as `ssm:/shop/api-key`.
 *
 * @param where What refers to the secret, for the error message.
 * @throws {ConfigurationError} The text is none of these.
 */
export function secretPlace(reference: unknown, where: string): SecretPlace {
  if (typeof reference === "string") {
    const [, ofSecret, secretRegion, ofParameter, region = secretRegion] = ARN.exec(reference) ?? [];
    if (ofSecret !== undefined) return { service: "secretsmanager", id: reference, arn: reference, region };
    if (ofParameter !== undefined) return { service: "ssm", id: reference, arn: reference, region };
    const name = reference.slice(PARAMETER.length);
    if (reference.startsWith(PARAMETER) && PARAMETER_NAME.test(name)) {
      return { service: "ssm", id: name, arn: undefined, region: undefined };
    }
    if (SECRET_NAME.test(reference)) {
      return { service: "secretsmanager", id: reference, arn: undefined, region: undefined };
    }
  }
  // The text may be the secret's value, so the message does not contain it.
  throw new ConfigurationError(
    `${where} must be the name of a secret in Secrets Manager, "${PARAMETER}" and the name of a parameter, or the ARN of one ` +
      `of them, but is ${typeof reference === "string" ? "another text" : show(reference)}: write "shop/api-key" or ` +
      `"${PARAMETER}/shop/api-key", and never the value itself`,
  );
}
