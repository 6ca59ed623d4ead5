import type { ObjectStore } from "../aws/object-store.ts";
import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import { FileObjectStore } from "./file-object-store.ts";

/**
 * The object store at a URL: `file:` for a directory.
 *
 * @throws {ConfigurationError} The URL has another scheme.
 * @example objectStoreOfUrl("file:///home/me/.sluice/cities/results")
 */
export function objectStoreOfUrl(url: string): ObjectStore {
  if (url.startsWith("file:")) return new FileObjectStore(url);
  throw new ConfigurationError(`the URL of an object store must begin with file:, but is ${show(url)}`);
}
