import { SluiceError } from "../../shared/base/errors.ts";
import type { Target } from "./target.ts";

const GONE = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE"]);

/**
 * Runs work over the services of an engine that another command on this machine has started: with that command they end,
 * perhaps amid the work.
 *
 * @throws {SluiceError} `ENGINE_ENDED`: they have.
 */
export async function whileEngineRuns<Result>(target: Target, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (target.local === undefined || !target.running || !isGone(cause)) throw cause;
    throw new SluiceError(
      "ENGINE_ENDED",
      `the command that ran ${target.workflow} has ended, and took its queues along. No dead letter is lost, and what was done ` +
        "until then stays done: type it again",
      { cause },
    );
  }
}

function isGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && GONE.has(String(error.code))) return true;
  return error instanceof AggregateError ? error.errors.some(isGone) : isGone(error.cause);
}
