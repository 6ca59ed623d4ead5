import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildOptions } from "esbuild";

export const FUNCTIONS = ["producer", "consumer"] as const;
/** The file of a bundle in a function's asset. */
export const BUNDLE_FILE = "index.mjs";

export type FunctionName = (typeof FUNCTIONS)[number];

/** A file of ours: TypeScript in the checkout, and JavaScript beside this module's own in the published package. */
const moduleFile = (path: string): string =>
  fileURLToPath(new URL(`${path}${extname(import.meta.url)}`, import.meta.url));

/** Where a function's handler is written. */
export const entryOf = (name: FunctionName): string => moduleFile(`../functions/${name}`);

/**
 * How a function is bundled, for the CDK app and the embedded engine alike: what runs here is what is deployed. The
 * AWS SDK is inside (so that the version tested is the version run), and one workflow, by the alias `#workflow`.
 */
export function bundleOptions(workflowFile: string) {
  return {
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    mainFields: ["module", "main"],
    minify: true,
    // Errors and loggers show names of functions and classes, and requests go by those of commands (`sendCommand`).
    keepNames: true,
    sourcemap: true,
    // Positions and names are enough for a stack trace; the sources would make the asset three times as large.
    sourcesContent: false,
    alias: {
      "#workflow": workflowFile,
      "@aws-sdk/credential-provider-node": moduleFile("./lambda-credentials"),
    },
    banner: {
      // CommonJS packages inside an ES module need a `require` for Node's own modules.
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: "silent",
  } satisfies BuildOptions;
}
