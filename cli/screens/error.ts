import { isSluiceError, toError } from "../../shared/base/errors.ts";
import { EXIT } from "../exit-code.ts";
import { style } from "./format.ts";
import { remark } from "./paragraph.ts";
import { writeJson } from "./write-json.ts";

/** Prints the error that ended a command, for people or with `--json` as JSON. Returns the exit code. */
export async function reportError(thrown: unknown): Promise<number> {
  const error = await explained(toError(thrown));
  const known = isSluiceError(error);
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
export async function reportFatalError(thrown: unknown): Promise<number> {
  // The live line hides the cursor.
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K\x1b[?25h");
  return await reportError(thrown);
}

// The command may have failed before it loaded anything of the engine.
async function explained(error: Error): Promise<Error> {
  if (isSluiceError(error)) return error;
  const { explainedFileError } = await import("./file-error.ts");
  return explainedFileError(error);
}
