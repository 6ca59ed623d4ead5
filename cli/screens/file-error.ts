import { stateError, stateFailureOf } from "../../local/state-failure.ts";
import { STATE_ROOT, stateRoot } from "../../local/state-root.ts";
import { SluiceError } from "../../shared/base/errors.ts";

/** Turns an error of the disk or of a file into an error that says what to do. Returns other errors unchanged. */
export function explainedFileError(error: Error): Error {
  const failure = stateFailureOf(error);
  if (failure === undefined) return error;
  const place = placeOf(error) ?? stateRoot();
  if (place.includes(STATE_ROOT)) return stateError(failure, place, error);
  const fix = failure === "full" ? "free space on the disk" : "check that it exists and that you may use it";
  return new SluiceError("FILE_UNUSABLE", `${place} cannot be used (${error.message}): ${fix}`, { cause: error });
}

/** The file that the error names. */
function placeOf(error: Error): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ("path" in at && typeof at.path === "string") return at.path;
  }
  return undefined;
}
