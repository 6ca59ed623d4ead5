import type { PassResult } from "../../shared/dead-letters/pass.ts";
import { EXIT } from "../exit-code.ts";

/**
 * The exit code of a look at dead letters: 130 after an interruption, 2 for a part of them, 3 where none fits, else 0. A
 * part may hold none that fits although there is one, so 2 goes before 3.
 *
 * @param found Dead letters that fit.
 * @param named Dead letters that were meant, where their ids are known: others may hold what they like besides.
 */
export function passCode(
  result: Pick<PassResult, "looked" | "heldElsewhere" | "stoppedBy">,
  found: number,
  named?: number,
): number {
  if (result.stoppedBy === "interruption") return EXIT.interrupted;
  const missed = result.heldElsewhere > 0 && (named === undefined || found < named);
  if (result.stoppedBy !== undefined || missed) return EXIT.partly;
  return found === 0 && result.looked > 0 ? EXIT.noneFits : EXIT.succeeded;
}
