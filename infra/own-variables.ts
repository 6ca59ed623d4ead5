import { Token } from "aws-cdk-lib";
import { ConfigurationError } from "../shared/base/errors.ts";
import { show } from "../shared/base/options.ts";

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
const NAME = /^[A-Za-z][A-Za-z0-9_]+$/;
const RESERVED = /^(SLUICE_|AWS_|LAMBDA_|_)/;

/**
 * The variable with the path of a script that starts the runtime, such as `/opt/otel-handler`. Lambda reads it, and
 * reserves it for nobody.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html
 */
const WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER";

/** The most bytes of all names and values of a function. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MOST_BYTES = 4_096;

/**
 * Checks the environment variables of a workflow's own code.
 *
 * @throws {ConfigurationError} A name is reserved, or Lambda does not allow it.
 */
export function checkOwnVariables(variables: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(variables)) {
    if (name === WRAPPER) continue;
    if (RESERVED.test(name)) {
      throw new ConfigurationError(
        `environment has ${name}, but names that begin with SLUICE_, AWS_, LAMBDA_ or _ are reserved, except ${WRAPPER}: ` +
          "choose another name",
      );
    }
    if (!NAME.test(name)) {
      throw new ConfigurationError(
        `environment has ${show(name)}, but a name must have at least two characters, begin with a letter, and contain ` +
          'letters, digits and underscores only: write "API_URL"',
      );
    }
  }
}

/**
 * Checks the size of all environment variables of a function. Values that are known at the deployment only, such as
 * the URLs of the queues, are not counted.
 *
 * @throws {ConfigurationError} They have more bytes than Lambda allows.
 */
export function checkVariablesSize(variables: Readonly<Record<string, string>>): void {
  const known = Object.entries(variables).flatMap(([name, value]) => [name, Token.isUnresolved(value) ? "" : value]);
  const bytes = Buffer.byteLength(known.join(""));
  if (bytes <= MOST_BYTES) return;
  throw new ConfigurationError(
    `the environment variables of a function may have ${MOST_BYTES} bytes, but have at least ${bytes}: store large values ` +
      "elsewhere, for example in the Parameter Store, and pass their names",
  );
}
