/**
 * Packages whose code is inside the published package, so that a user's project does not install them. A package belongs
 * here if only the command line, the embedded engine or one module of the library uses it, and if its folder is much
 * larger than the code that is used: builds for browsers, types, sources.
 *
 * They are development dependencies. `main.ts` puts their code into `dist/vendor/`.
 */
export const VENDORED: readonly string[] = [
  "@aws-lambda-powertools/jmespath",
  "@aws-lambda-powertools/logger",
  "@aws-lambda-powertools/metrics",
  "@aws-sdk/util-dynamodb",
  "@clack/prompts",
  "@middy/core",
  "cli-progress",
  "cli-truncate",
  "commander",
  "csv-parse",
  "csv-stringify",
  "dot-prop",
  "dynalite",
  "leven",
  "ms",
  "string-width",
  "tinyqueue",
  "wrap-ansi",
];

/**
 * Packages that the vendored ones need, and that a project installs all the same: the first one because it has a native
 * module, the second one because the SDK needs it too, and a function must not contain it twice.
 */
export const INSTALLED: readonly string[] = ["classic-level", "@aws/lambda-invoke-store"];

/**
 * The vendored packages that the functions on Lambda use. They are bundled once more, into the function, and have ES modules
 * without `require`.
 */
export const IN_FUNCTIONS: readonly string[] = [
  "@aws-lambda-powertools/logger",
  "@aws-lambda-powertools/metrics",
  "@aws-sdk/util-dynamodb",
  "@middy/core",
  "csv-parse",
];

/** The package of an import: `csv-parse` for `csv-parse/sync`. */
export const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
