import { pathToFileURL } from "node:url";
import { ConfigurationError, toError } from "../base/errors.ts";
import { buildError } from "./build-error.ts";
import { codeFrame } from "./code-frame.ts";
import { type LocalBundleOptions, localBundle } from "./local-bundle.ts";

/** What to load, if a bundle has more than the user's file. */
export interface LoadModuleOptions extends LocalBundleOptions {
  /** The entry point, which imports the file by an alias. Default: the file itself. */
  readonly entry?: string;
}

/**
 * Bundles a file of the user, and imports the bundle. Stack traces show the lines of the original files.
 *
 * @param file The absolute path of the user's file. Errors name it.
 * @throws {ConfigurationError} The file does not bundle, or throws when it is imported. The message has the file, the line
 *   and a code frame.
 */
export async function loadModule(file: string, { entry = file, ...options }: LoadModuleOptions = {}): Promise<object> {
  let bundle: string;
  try {
    bundle = await localBundle(entry, options);
  } catch (thrown) {
    throw await buildError(file, thrown);
  }
  process.setSourceMapsEnabled(true);
  try {
    return (await import(pathToFileURL(bundle).href)) as object;
  } catch (thrown) {
    throw loadError(file, toError(thrown), bundle);
  }
}

function loadError(file: string, cause: Error, bundle: string): ConfigurationError {
  // The bundle has its own copy of the class.
  const isOwn = "code" in cause && cause.code === "CONFIGURATION";
  const frame = codeFrame(cause, bundle);
  const where = frame === "" ? "" : `\n\n${frame}`;
  const text = isOwn ? `${file}: ${cause.message}` : `${file} cannot be loaded: ${cause.message}`;
  return new ConfigurationError(text + where, { cause });
}
