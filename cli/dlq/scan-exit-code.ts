import type { ScanResult } from "../../shared/dead-letters/scan.ts";
import { EXIT } from "../exit-code.ts";

/**
 * The exit code of a scan of the dead-letter queue: 130 if it was interrupted, 2 if it saw only some dead letters, 3 if
 * none matched, else 0. A scan that saw only some may have missed a match, so 2 takes precedence over 3.
 *
 * @param matched How many dead letters matched.
 * @param named How many dead letters the user named by their ids. `undefined`: the user named none. If the scan found
 *   all named dead letters, it does not matter that other commands hold others.
 */
export function scanExitCode(
  result: Pick<ScanResult, "looked" | "heldElsewhere" | "stoppedBy">,
  matched: number,
  named?: number,
): number {
  if (result.stoppedBy === "interruption") return EXIT.interrupted;
  const missed = result.heldElsewhere > 0 && (named === undefined || matched < named);
  if (result.stoppedBy !== undefined || missed) return EXIT.partly;
  return matched === 0 && result.looked > 0 ? EXIT.noneMatches : EXIT.succeeded;
}
