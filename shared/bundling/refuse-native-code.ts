import type { Metafile } from "esbuild";
import { ConfigurationError } from "../base/errors.ts";
import { nativePackages } from "./native-packages.ts";

/**
 * Refuses a bundle that contains a package with native code: the code would be missing on Lambda. Packages that all of their
 * importers can do without are left in the bundle.
 *
 * @param directory The working directory of the build.
 * @throws {ConfigurationError} The message says what to add to the workflow.
 */
export function refuseNativeCode(metafile: Metafile, workflowFile: string, directory: string): void {
  const names = nativePackages(metafile, directory).flatMap(({ name, isOptional }) => (isOptional ? [] : [name]));
  if (names.length === 0) return;
  const list = names.map((name) => JSON.stringify(name)).join(", ");
  throw new ConfigurationError(
    `${workflowFile} imports ${names.join(" and ")} with native code, a .node file, which a bundle cannot contain: it would be ` +
      `missing on Lambda. Add to the workflow: bundling: { external: [${list}] }. Then it is installed for Lambda's platform ` +
      "beside the bundle",
  );
}
