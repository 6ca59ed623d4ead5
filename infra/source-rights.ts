import { ConfigurationError, toError } from "../shared/base/errors.ts";
import type { Workflow } from "../shared/definition/workflow.ts";
import type { SourceRight } from "../shared/sources/source.ts";

/**
 * The rights that a workflow's source needs in AWS.
 *
 * @param variables The environment variables of the functions. The name of a bucket or a table can depend on them.
 * @param isDeployed Whether the functions are deployed. `cdk list` and `cdk destroy` need no rights, so there a variable
 *   that is missing is no error.
 * @throws {ConfigurationError} The source cannot say which rights it needs.
 */
export function sourceRightsOf(
  { name, source }: Pick<Workflow, "name" | "source">,
  variables: Readonly<Record<string, string>>,
  isDeployed: boolean,
): readonly SourceRight[] {
  try {
    return source.rights?.(variables) ?? [];
  } catch (thrown) {
    if (!isDeployed) return [];
    throw new ConfigurationError(
      `the source of the workflow ${name} cannot say which rights it needs: ${toError(thrown).message}. Its function ` +
        "receives only the environment variables that the workflow names in environment",
      { cause: thrown },
    );
  }
}
