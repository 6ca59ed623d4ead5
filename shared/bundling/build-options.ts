import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildOptions } from "esbuild";

/** TypeScript in the repository, JavaScript in the published package. */
const HTTP_MODULE = fileURLToPath(
  new URL(`./http-module.${extname(import.meta.url) === ".ts" ? "cts" : "cjs"}`, import.meta.url),
);

/** Modules that bundles get instead of others. */
export const COMMON_ALIASES = { "node:http": HTTP_MODULE, http: HTTP_MODULE };

/** The version of JavaScript that Lambda's Node understands. https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html */
export const LAMBDA_TARGET = "node24";

const LAMBDA_NODE = 24;

/** The version of JavaScript that both Lambda's Node and the Node of this process understand. */
export function localTarget(): string {
  const major = Number(process.versions.node.split(".")[0]);
  return `node${Math.min(major, LAMBDA_NODE)}`;
}

/** Code before a bundle. CommonJS modules inside an ES module need these variables, which Node defines only for CommonJS. */
export const BANNER =
  "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url)," +
  "{filename:__filename,dirname:__dirname}=import.meta;";

/** esbuild's options for all bundles, of functions and for this process. */
export const COMMON_OPTIONS = {
  bundle: true,
  platform: "node",
  format: "esm",
  mainFields: ["module", "main"],
  minify: true,
  // Errors and loggers show the names of functions and classes, and `sendCommand` uses the names of command classes.
  keepNames: true,
  sourcemap: true,
  // Stack traces need positions and names only. With the sources, the asset would be three times as large.
  sourcesContent: false,
  // `pg` loads these only if it is asked to, or on another platform. Neither of them need be installed.
  external: ["pg-native", "pg-cloudflare"],
  banner: { js: BANNER },
  logLevel: "silent",
} satisfies BuildOptions;
