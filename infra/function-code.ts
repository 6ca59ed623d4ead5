import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { AssetHashType, DockerImage } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { buildSync } from "esbuild";
import { BUNDLE_FILE, bundleOptions, entryOf, type FunctionName } from "./bundling.ts";
import { copySourceFiles, type SourceFile } from "./source-files.ts";

/** The handler in a bundle, as Lambda names it. */
export const HANDLER = "index.handler";

/**
 * A function's bundle as an asset, made by the same esbuild options with which the embedded engine makes its own. The
 * CDK asks for it only when it needs it: `cdk list` and `cdk destroy` do not.
 *
 * @param files Beside the bundle: the function's working directory holds them.
 */
export function functionCode(name: FunctionName, workflowFile: string, files: readonly SourceFile[]): Code {
  const entry = entryOf(name);
  const build = (directory: string) => {
    // Made again after a failure, it must not hold what the failed build left.
    rmSync(join(directory, BUNDLE_FILE), { force: true });
    buildSync({ ...bundleOptions(workflowFile), entryPoints: [entry], outfile: join(directory, BUNDLE_FILE) });
    copySourceFiles(files, directory);
    return true;
  };
  return Code.fromAsset(dirname(entry), {
    // The bundle tells whether there is something new, and not the files it was made of.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      local: { tryBundle: build },
      // Never used, as the local bundling never declines.
      image: DockerImage.fromRegistry("none"),
      // The CDK takes two assets for one if these are the same.
      command: [name, workflowFile, ...files.map(({ path }) => path)],
    },
  });
}
