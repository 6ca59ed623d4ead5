import { isSluiceError, toError } from "../../shared/base/errors.ts";
import type { ReportedError } from "./protocol.ts";

/** An error as text. The message of a known error says what to do; an unexpected error is told with its stack. */
export function reported(thrown: unknown): ReportedError {
  const error = toError(thrown);
  if (isSluiceError(error)) return { code: error.code, message: error.message };
  return { code: "UNEXPECTED", message: error.stack ?? error.message };
}
