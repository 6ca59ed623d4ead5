import { join } from "node:path";
import { type BuildFailure, build, formatMessages } from "esbuild";
import { bundleOptions, entryOf, FUNCTIONS, type FunctionName } from "../../infra/bundling.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";

/**
 * Bundles the functions of a workflow into a directory, and returns each one's file.
 *
 * @throws {ConfigurationError} The workflow, or something it imports, does not bundle.
 */
export async function bundleFunctions(workflowFile: string, directory: string): Promise<Record<FunctionName, string>> {
  const outFile = (name: FunctionName) => join(directory, `${name}.mjs`);
  try {
    await Promise.all(
      FUNCTIONS.map((name) =>
        build({ ...bundleOptions(workflowFile), entryPoints: [entryOf(name)], outfile: outFile(name) }),
      ),
    );
  } catch (cause) {
    if (!(cause instanceof Error && "errors" in cause)) throw cause;
    const messages = await formatMessages((cause as BuildFailure).errors, { kind: "error" });
    throw new ConfigurationError(`${workflowFile} cannot be bundled:\n${messages.join("\n")}`, { cause });
  }
  return { producer: outFile("producer"), consumer: outFile("consumer") };
}
