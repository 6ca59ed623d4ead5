import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { AssetHashType, DockerImage } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { buildSync } from "esbuild";
import { BUNDLE_FILE, bundleOptions, entryOf, type FunctionName } from "./bundling.ts";
import { copySourceFiles, type SourceFile } from "./source-files.ts";

/** The handler of a bundle, in the form that Lambda expects. */
export const HANDLER = "index.handler";

/**
 * The bundle of a function as a CDK asset. The CDK creates the asset only when it needs the code. `cdk list` and
 * `cdk destroy` do not need it.
 *
 * @param files The files to pack with the bundle. They are in the function's working directory.
 */
export function functionCode(name: FunctionName, workflowFile: string, files: readonly SourceFile[]): Code {
  const entry = entryOf(name);
  const build = (directory: string) => {
    // The directory can contain the bundle of an earlier build that failed.
    rmSync(join(directory, BUNDLE_FILE), { force: true });
    buildSync({ ...bundleOptions(workflowFile), entryPoints: [entry], outfile: join(directory, BUNDLE_FILE) });
    copySourceFiles(files, directory);
    return true;
  };
  return Code.fromAsset(dirname(entry), {
    // The hash is that of the output, so the asset changes only when the bundle or a packed file changes.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      local: { tryBundle: build },
      // The image is never used, because the local bundling always succeeds or throws.
      image: DockerImage.fromRegistry("none"),
      // The CDK treats two assets with the same command as one asset.
      command: [name, workflowFile, ...files.map(({ path }) => path)],
    },
  });
}
