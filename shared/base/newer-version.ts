import { SluiceError } from "./errors.ts";

/**
 * A newer version of Sluice wrote a message, a row or a file, and this code must not change it. Consumers and producers
 * put such a message back with a delay, so that the newer version handles it once it is deployed. The code is
 * `NEWER_VERSION`. See `docs/internals/versions.md`.
 */
export class NewerVersionError extends SluiceError {
  override readonly name = "NewerVersionError";

  /**
   * @param what The name of the thing that has the version, with an article, such as `the envelope`.
   * @param newest The newest version that this code can read.
   */
  constructor(what: string, found: number, newest: number, ids?: Readonly<Record<string, string | number>>) {
    super(
      "NEWER_VERSION",
      `${what} has version ${found}, and this Sluice reads versions up to ${newest}: use the version of ` +
        "Sluice that wrote it, or a later one (npm install sluice@latest, then deploy)",
      ids && { ids },
    );
  }
}

/**
 * Throws if a version is newer than this code can read. It does not check whether `found` is a version at all.
 *
 * @throws {NewerVersionError} `found` is a whole number above `newest`.
 */
export function refuseNewer(
  found: unknown,
  newest: number,
  what: string,
  ids?: Readonly<Record<string, string | number>>,
): void {
  if (typeof found !== "number" || !Number.isInteger(found) || found <= newest) return;
  throw new NewerVersionError(what, found, newest, ids);
}
