import { resolve } from "node:path";
import { STATE_ROOT } from "../../local/state-directory.ts";
import { stateError, stateFailureOf } from "../../local/state-failure.ts";
import { SluiceError, toError } from "../../shared/base/errors.ts";
import { EXIT } from "../exit-code.ts";
import { style } from "./format.ts";
import { remark } from "./paragraph.ts";
import { writeJson } from "./write-json.ts";

/** Prints the error that ended a command, for people or with `--json` as JSON. Returns the exit code. */
export function reportError(thrown: unknown): number {
  const error = explained(toError(thrown));
  const known = error instanceof SluiceError;
  const head = style("red", "error", process.stderr);
  if (process.argv.includes("--json")) {
    writeJson({ type: "error", code: known ? error.code : "UNEXPECTED", message: error.message });
  }
  // The message of a known error says what to do. An unexpected error is printed with its stack.
  else if (known) remark(`${head} ${error.message}`);
  else console.error(`${head} ${error.stack ?? error.message}`);
  // Other commands may hold the dead letter, so it may exist.
  return known && error.code === "LETTERS_HELD" ? EXIT.partly : EXIT.failed;
}

/** Prints an error that ends the command in the middle of its work, perhaps below a live line. Returns the exit code. */
export function reportFatalError(thrown: unknown): number {
  // The live line hides the cursor.
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K\x1b[?25h");
  return reportError(thrown);
}

/** An error of the disk or of a file says what to do. Other errors stay as they are. */
function explained(error: Error): Error {
  if (error instanceof SluiceError) return error;
  const failure = stateFailureOf(error);
  if (failure === undefined) return error;
  const place = placeOf(error) ?? resolve(STATE_ROOT);
  if (place.includes(STATE_ROOT)) return stateError(failure, place, error);
  const wayOut = failure === "full" ? "free space on the disk" : "check that it exists and that you may use it";
  return new SluiceError("FILE_UNUSABLE", `${place} cannot be used (${error.message}): ${wayOut}`, { cause: error });
}

/** The file that the error names. */
function placeOf(error: Error): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ("path" in at && typeof at.path === "string") return at.path;
  }
  return undefined;
}
