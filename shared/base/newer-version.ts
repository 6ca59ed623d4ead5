import { SluiceError } from "./errors.ts";

/**
 * Something was written by a newer version of Sluice than this code, which must not touch it. Consumers and producers put
 * the message back, with a delay: the newer version takes it when it is deployed. See `docs/internals/versions.md`.
 */
export class NewerVersionError extends SluiceError {
  override readonly name = "NewerVersionError";

  /**
   * @param what What has the version, with its article.
   * @param newest The newest version of it that this code reads.
   */
  constructor(what: string, found: number, newest: number, ids?: Readonly<Record<string, string | number>>) {
    super(
      "NEWER_VERSION",
      `${what} has version ${found}, and this version of Sluice reads versions up to ${newest}: use the version of ` +
        "Sluice that wrote it, or a later one (npm install sluice@latest, then deploy)",
      ids && { ids },
    );
  }
}

/** Refuses a version that is newer than the newest which is known. Whether it is a version at all is checked elsewhere. */
export function refuseNewer(
  found: unknown,
  newest: number,
  what: string,
  ids?: Readonly<Record<string, string | number>>,
): void {
  if (typeof found !== "number" || !Number.isInteger(found) || found <= newest) return;
  throw new NewerVersionError(what, found, newest, ids);
}
