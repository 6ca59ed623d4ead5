import { ConfigurationError } from "../base/errors.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";

/** The processors of Lambda. https://docs.aws.amazon.com/lambda/latest/dg/foundation-arch.html */
const ARCHITECTURES: readonly LambdaArchitecture[] = ["arm64", "x86_64"];
/** A processor of Lambda. */
export type LambdaArchitecture = "arm64" | "x86_64";

/** What a file with an unusual extension becomes when it is imported. https://esbuild.github.io/content-types/ */
const FILE_LOADERS: readonly FileLoader[] = [
  "text",
  "json",
  "base64",
  "binary",
  "dataurl",
  "empty",
  "js",
  "jsx",
  "ts",
  "tsx",
];
/** What a file becomes when it is imported. */
export type FileLoader = "text" | "json" | "base64" | "binary" | "dataurl" | "empty" | "js" | "jsx" | "ts" | "tsx";

/** A Lambda layer with packages. */
export interface PackageLayer {
  /** The ARN of the version of the layer. */
  readonly arn: string;
  /** The packages in the layer's `nodejs/node_modules`. They are neither bundled nor installed. */
  readonly packages: readonly string[];
}

/** How a workflow is bundled into its functions. */
export interface BundlingOptions {
  /**
   * Packages that are not bundled, because they have native code or read files of their own. They are installed beside the
   * bundle for Lambda's platform, in the version that is installed here. Default: none.
   *
   * @example ["sharp"]
   */
  readonly external?: readonly string[];
  /**
   * Layers with packages. At most five.
   * https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
   */
  readonly layers?: readonly PackageLayer[];
  /** Identifiers that the bundler replaces by expressions. https://esbuild.github.io/api/#define */
  readonly define?: Readonly<Record<string, string>>;
  /** What files with these extensions become when they are imported, such as `{ ".sql": "text" }`. */
  readonly loader?: Readonly<Record<string, FileLoader>>;
  /** The processor of the functions. Default `arm64`. */
  readonly architecture?: LambdaArchitecture;
}

/** The validated option, with its defaults. */
export type BundlingSettings = Required<BundlingOptions>;

/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MOST_LAYERS = 5;

const PACKAGE = /^(@[a-z0-9-~][\w.-]*\/)?[a-z0-9-~][\w.-]*$/;

/** @throws {ConfigurationError} An option is unknown, or has a value of the wrong form. */
export function bundlingSettings(options: BundlingOptions = {}): BundlingSettings {
  rejectUnknownKeys(options, ["external", "layers", "define", "loader", "architecture"], "bundling");
  const { external = [], layers = [], define = {}, loader = {}, architecture = "arm64" } = options;
  checkPackages("bundling.external", external);
  if (!Array.isArray(layers) || layers.length > MOST_LAYERS) {
    throw new ConfigurationError(
      `bundling.layers must be a list of at most ${MOST_LAYERS} layers, but is ${show(layers)}`,
    );
  }
  for (const layer of layers) {
    rejectUnknownKeys(layer, ["arn", "packages"], "a layer of bundling.layers");
    if (typeof layer.arn !== "string" || !/^arn:.*:layer:.*:\d+$/.test(layer.arn)) {
      throw new ConfigurationError(
        `arn of a layer must be the ARN of a version, such as "arn:aws:lambda:eu-central-1:123456789012:layer:sharp:3", but is ${show(layer.arn)}`,
      );
    }
    checkPackages("packages of a layer", layer.packages);
  }
  for (const [extension, kind] of Object.entries(loader)) {
    if (!/^\.[\w.]+$/.test(extension) || !FILE_LOADERS.includes(kind)) {
      throw new ConfigurationError(
        `bundling.loader must map an extension to ${FILE_LOADERS.join(", ")}, such as { ".sql": "text" }, but has ${show(extension)}: ${show(kind)}`,
      );
    }
  }
  for (const [name, expression] of Object.entries(define)) {
    if (typeof expression !== "string") {
      throw new ConfigurationError(
        `bundling.define must map a name to an expression as text, but ${show(name)} is ${show(expression)}: write ` +
          `JSON.stringify(${show(expression)})`,
      );
    }
  }
  if (!ARCHITECTURES.includes(architecture)) {
    throw new ConfigurationError(
      `bundling.architecture must be ${ARCHITECTURES.join(" or ")}, but is ${show(architecture)}`,
    );
  }
  return { external, layers, define, loader, architecture };
}

/** All packages that a bundle imports and does not contain. */
export const packagesOutside = ({ external, layers }: BundlingSettings): readonly string[] => [
  ...new Set([...external, ...layers.flatMap(({ packages }) => packages)]),
];

function checkPackages(option: string, names: unknown): void {
  const wrong: unknown = Array.isArray(names)
    ? names.find((name) => typeof name !== "string" || !PACKAGE.test(name))
    : names;
  if (wrong === undefined && Array.isArray(names)) return;
  throw new ConfigurationError(
    `${option} must be a list of names of packages, such as ["sharp"], but is ${show(names)}: give names without versions and paths`,
  );
}
