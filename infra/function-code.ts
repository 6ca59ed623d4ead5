import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { AssetHashType, DockerImage } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { buildSync } from "esbuild";
import { refuseNativeCode } from "../shared/bundling/refuse-native-code.ts";
import type { BundlingSettings } from "../shared/definition/bundling-options.ts";
import { BUNDLE_FILE, bundleOptions, entryOf, type FunctionName, S3_ENTRY, S3_FILE } from "./bundling.ts";
import { installExternal } from "./external-packages.ts";
import { copySourceFiles, type SourceFile } from "./source-files.ts";

/** The handler of a bundle, in the form that Lambda expects. */
export const HANDLER = "index.handler";

/** What a function contains besides its bundle. */
export interface CodeContents {
  readonly bundling: BundlingSettings;
  /** Files in the function's working directory. */
  readonly files: readonly SourceFile[];
  /** Whether the workflow keeps results, so that the function needs the store in S3. */
  readonly hasResults: boolean;
}

/**
 * The bundle of a function as a CDK asset. The CDK creates the asset only when it needs the code. `cdk list` and
 * `cdk destroy` do not need it.
 */
export function functionCode(
  name: FunctionName,
  workflowFile: string,
  { bundling, files, hasResults }: CodeContents,
): Code {
  const entry = entryOf(name);
  const build = (directory: string) => {
    // The directory can contain the bundle of an earlier build that failed.
    for (const file of [BUNDLE_FILE, S3_FILE]) rmSync(join(directory, file), { force: true });
    const options = bundleOptions(workflowFile, bundling);
    const { metafile } = buildSync({
      ...options,
      metafile: true,
      entryPoints: [entry],
      outfile: join(directory, BUNDLE_FILE),
    });
    refuseNativeCode(metafile, workflowFile, process.cwd());
    installExternal(directory, workflowFile, bundling);
    if (hasResults) {
      buildSync({ ...options, sourcemap: false, entryPoints: [S3_ENTRY], outfile: join(directory, S3_FILE) });
    }
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
      command: [
        name,
        workflowFile,
        JSON.stringify(bundling),
        ...(hasResults ? [S3_FILE] : []),
        ...files.map(({ path }) => path),
      ],
    },
  });
}
