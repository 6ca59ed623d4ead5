import { SluiceError } from "../../shared/base/errors.ts";
import type { Target } from "./target.ts";

const GONE = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE"]);

/**
 * Runs work that may use the services of another command's engine on this machine. Those services end with that command,
 * perhaps in the middle of the work.
 *
 * @throws {SluiceError} `ENGINE_ENDED`: the other command ended during the work.
 */
export async function whileEngineRuns<Result>(target: Target, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (target.local === undefined || !target.running || !isGone(cause)) throw cause;
    throw new SluiceError(
      "ENGINE_ENDED",
      `the command that ran ${target.workflow} has ended, and its queues have closed. No dead letter is lost, and what was done ` +
        "until then stays done. Run this command again",
      { cause },
    );
  }
}

function isGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && GONE.has(String(error.code))) return true;
  return error instanceof AggregateError ? error.errors.some(isGone) : isGone(error.cause);
}
