import { type SecretPlace, secretPlace } from "../aws/secret-reference.ts";
import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";

/** What the variable begins with that says where a secret is. Its value is a reference, and never the secret. */
const VARIABLE = "SLUICE_SECRET_";

/** The environment variable of a deployed function that says where the secret of this name is. */
export const secretVariable = (name: string): string => `${VARIABLE}${name}`;

/** Locally, an environment variable of this name has the value. */
const NAME = /^[A-Za-z][A-Za-z0-9_]+$/;
const RESERVED = /^(SLUICE_|AWS_|LAMBDA_)/;

/** @throws {ConfigurationError} The name cannot be that of an environment variable. */
export function checkSecretName(name: unknown): asserts name is string {
  if (typeof name === "string" && NAME.test(name) && !RESERVED.test(name)) return;
  throw new ConfigurationError(
    "the name of a secret must have at least two letters, digits and underscores, begin with a letter, and not begin with " +
      `SLUICE_, AWS_ or LAMBDA_, but is ${show(name)}: write "API_KEY". Locally, the environment variable of this name has the value`,
  );
}

/** @throws {ConfigurationError} The reference is invalid. */
export const placeOfSecret = (name: string, reference: unknown): SecretPlace =>
  secretPlace(reference, `the secret ${name}`);
