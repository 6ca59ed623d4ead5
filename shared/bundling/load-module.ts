import { pathToFileURL } from "node:url";
import { ConfigurationError, toError } from "../base/errors.ts";
import type { LocalBundleOptions } from "./local-bundle.ts";
import { readyModule } from "./ready-module.ts";

// A bundle that is ready is imported with few other modules: to load those that make a bundle takes 25 ms of CPU time.

/** What to load, if a bundle has more than the user's file. */
export interface LoadModuleOptions extends LocalBundleOptions {
  /** The entry point, which imports the file by an alias. Default: the file itself. */
  readonly entry?: string;
  /** Whether this process only imports this bundle, so that its stack traces can be mapped when they are needed. Default false. */
  readonly mapsStacksLazily?: boolean;
}

/**
 * Bundles a file of the user, and imports the bundle. Stack traces show the lines of the original files.
 *
 * @param file The absolute path of the user's file. Errors name it.
 * @throws {ConfigurationError} The file does not bundle, or throws when it is imported. The message has the file, the line
 *   and a code frame.
 */
export async function loadModule(
  file: string,
  { entry = file, mapsStacksLazily = false, ...options }: LoadModuleOptions = {},
): Promise<object> {
  const bundle = readyBundle(entry, options) ?? (await makeBundle(file, entry, options));
  if (mapsStacksLazily) (await import("./lazy-source-map.ts")).mapStacksLazily(bundle);
  else process.setSourceMapsEnabled(true);
  try {
    return (await import(pathToFileURL(bundle).href)) as object;
  } catch (thrown) {
    throw await loadError(file, toError(thrown), bundle);
  }
}

function readyBundle(entry: string, options: LocalBundleOptions): string | undefined {
  const { alias = {}, linksPackages = false, onInputs } = options;
  // The note does not tell the inputs.
  return onInputs === undefined ? readyModule({ entry, alias, linksPackages }) : undefined;
}

async function makeBundle(file: string, entry: string, options: LocalBundleOptions): Promise<string> {
  try {
    const { localBundle } = await import("./local-bundle.ts");
    return await localBundle(entry, options);
  } catch (thrown) {
    const { buildError } = await import("./build-error.ts");
    throw await buildError(file, thrown);
  }
}

async function loadError(file: string, cause: Error, bundle: string): Promise<ConfigurationError> {
  const { codeFrame } = await import("./code-frame.ts");
  // The bundle has its own copy of the class.
  const isOwn = "code" in cause && cause.code === "CONFIGURATION";
  const frame = codeFrame(cause, bundle);
  const where = frame === "" ? "" : `\n\n${frame}`;
  const text = isOwn ? `${file}: ${cause.message}` : `${file} cannot be loaded: ${cause.message}`;
  return new ConfigurationError(text + where, { cause });
}
