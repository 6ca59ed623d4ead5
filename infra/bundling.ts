import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildOptions } from "esbuild";
import { COMMON_ALIASES, COMMON_OPTIONS, LAMBDA_TARGET } from "../shared/bundling/build-options.ts";
import { type BundlingSettings, bundlingSettings, packagesOutside } from "../shared/definition/bundling-options.ts";

/** The functions of a workflow. */
export const FUNCTIONS = ["producer", "consumer"] as const;
/** The file name of a bundle in the asset of a function. */
export const BUNDLE_FILE = "index.mjs";
/** The file name of the store in S3, with its SDK, beside the bundle. Only functions of workflows with results have the file. */
export const S3_FILE = "s3.mjs";

export type FunctionName = (typeof FUNCTIONS)[number];

/** The path of a module of Sluice: TypeScript in the repository, JavaScript in the published package. */
const moduleFile = (path: string): string =>
  fileURLToPath(new URL(`${path}${extname(import.meta.url)}`, import.meta.url));

/** The path of the module with a function's handler. */
export const entryOf = (name: FunctionName): string => moduleFile(`../functions/${name}`);

/** The path of the module with the store in S3 and its SDK. */
export const S3_ENTRY = moduleFile("../shared/aws/s3-file");

/** Says to the code of a bundle that it runs in a function, so that esbuild leaves out what no function needs (`defineWorkflow`). */
const IN_FUNCTION = { "process.env.SLUICE_IN_FUNCTION": '"true"' };

/**
 * The esbuild options of a function's bundle. The CDK app and the embedded engine use the same options, so the engine
 * runs the same code that is deployed. A bundle contains the AWS SDK, so that the functions run the version that was
 * tested. It also contains one workflow, which the handlers import as `#workflow`.
 */
export function bundleOptions(workflowFile: string, bundling: BundlingSettings = bundlingSettings()) {
  return {
    ...COMMON_OPTIONS,
    target: LAMBDA_TARGET,
    external: [...COMMON_OPTIONS.external, ...packagesOutside(bundling)],
    define: { ...bundling.define, ...IN_FUNCTION },
    loader: { ...bundling.loader },
    alias: {
      ...COMMON_ALIASES,
      "#workflow": workflowFile,
      "@aws-sdk/credential-provider-node": moduleFile("./lambda-credentials"),
      "@aws-sdk/endpoint-cache": moduleFile("./endpoint-cache"),
    },
  } satisfies BuildOptions;
}
