import { ArnFormat, Stack, Token } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { IParameter } from "aws-cdk-lib/aws-ssm";
import type { Construct } from "constructs";
import { ConfigurationError } from "../shared/base/errors.ts";
import { show } from "../shared/base/options.ts";
import { checkSecretName, placeOfSecret, secretVariable } from "../shared/definition/secret-names.ts";

/**
 * A secret that the code of a workflow reads with `secret(name)`.
 *
 * - A construct: a secret of Secrets Manager or a parameter of the Parameter Store. If a KMS key of yours encrypts it, the
 *   construct must know the key (`encryptionKey`), so that the functions may use it.
 * - A text: the name of a secret in Secrets Manager (`"shop/api-key"`), `ssm:` and the name of a parameter
 *   (`"ssm:/shop/api-key"`), or the ARN of one of them. A key of AWS must encrypt it.
 */
export type SecretReference = string | SecretConstruct | Pick<IParameter, "parameterArn" | "env">;

/** A secret of Secrets Manager: an `ISecret`. The types of the CDK are not exact about optional properties. */
export interface SecretConstruct extends Pick<ISecret, "secretArn" | "env"> {
  readonly secretFullArn?: string | undefined;
  readonly encryptionKey?: IKey | undefined;
}

/** The secrets of a workflow, as its functions need them. */
export interface WorkflowSecrets {
  /** Environment variables that say where the secrets are. None of them has a value of a secret. */
  readonly variables: Readonly<Record<string, string>>;
  /** The rights to read exactly these secrets. */
  readonly rights: readonly PolicyStatement[];
}

/** A secret as the template names it. */
interface Placed {
  readonly service: "secretsmanager" | "ssm";
  /** What the function reads it by. */
  readonly reference: string;
  readonly resource: string;
  readonly region: string;
  readonly key: IKey | undefined;
}

/** What Secrets Manager adds to a name: a hyphen and six random characters. */
const SUFFIX = /-[A-Za-z0-9]{6}$/;

/**
 * The resource of a secret whose suffix is not known.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
 */
const anySuffix = (arn: string): string => `${arn}-??????`;

/**
 * The variables and the rights of a workflow's secrets.
 *
 * @param plain The names of the environment variables that are no secrets.
 * @throws {ConfigurationError} A name or a reference is invalid, or a name is that of an environment variable, too.
 */
export function workflowSecrets(
  scope: Construct,
  secrets: Readonly<Record<string, SecretReference>>,
  plain: readonly string[],
): WorkflowSecrets {
  const placed = Object.entries(secrets).map(([name, reference]) => {
    checkSecretName(name);
    if (plain.includes(name)) {
      throw new ConfigurationError(
        `${name} is a secret and an environment variable, so its value would be in the template: remove it from environment`,
      );
    }
    return [name, placedSecret(name, reference, Stack.of(scope))] as const;
  });
  return {
    variables: Object.fromEntries(placed.map(([name, { reference }]) => [secretVariable(name), reference])),
    rights: placed.flatMap(([, secret]) => rightsOn(secret)),
  };
}

function placedSecret(name: string, given: SecretReference, stack: Stack): Placed {
  if (typeof given !== "object" || given === null) return placedText(name, given, stack);
  if ("secretArn" in given) {
    const { secretFullArn, secretArn, encryptionKey: key, env } = given;
    const resource = secretFullArn ?? anySuffix(secretArn);
    return { service: "secretsmanager", reference: secretFullArn ?? secretArn, resource, region: env.region, key };
  }
  if ("parameterArn" in given) {
    const { parameterArn: arn, env } = given;
    // Only some classes of parameters know their key.
    const { encryptionKey: key } = given as { readonly encryptionKey?: IKey };
    return { service: "ssm", reference: arn, resource: arn, region: env.region, key };
  }
  throw new ConfigurationError(
    `the secret ${name} must be a secret, a parameter, a name or an ARN, but is ${show(given)}: write ` +
      'Secret.fromSecretNameV2(stack, "ApiKey", "shop/api-key")',
  );
}

function placedText(name: string, text: unknown, stack: Stack): Placed {
  if (Token.isUnresolved(text)) {
    throw new ConfigurationError(
      `the secret ${name} is a text that is known at the deployment only, so nobody can tell which service has it: pass a ` +
        'construct, such as Secret.fromSecretCompleteArn(stack, "ApiKey", arn)',
    );
  }
  const { service, id, arn, region = stack.region } = placeOfSecret(name, text);
  const reference = String(text);
  if (service === "ssm") {
    const resourceName = id.replace(/^\//, "");
    const resource = arn ?? stack.formatArn({ service, resource: "parameter", resourceName });
    return { service, reference, resource, region, key: undefined };
  }
  const resource = arn ?? stack.formatArn({ service, resource: `secret:${id}`, arnFormat: ArnFormat.NO_RESOURCE_NAME });
  const isComplete = arn !== undefined && SUFFIX.test(arn);
  return { service, reference, resource: isComplete ? resource : anySuffix(resource), region, key: undefined };
}

/**
 * A parameter or a secret that AWS's own key encrypts needs no right on the key.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
 * https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
 */
function rightsOn({ service, resource, region, key }: Placed): readonly PolicyStatement[] {
  const action = service === "ssm" ? "ssm:GetParameter" : "secretsmanager:GetSecretValue";
  const read = new PolicyStatement({ actions: [action], resources: [resource] });
  if (key === undefined) return [read];
  const decrypt = new PolicyStatement({
    actions: ["kms:Decrypt"],
    resources: [key.keyArn],
    conditions: { StringEquals: { "kms:ViaService": `${service}.${region}.amazonaws.com` } },
  });
  return [read, decrypt];
}
