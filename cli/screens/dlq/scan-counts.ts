import type { PassResult } from "../../../shared/dead-letters/pass.ts";
import type { Target } from "../../targets/target.ts";
import { count, plural } from "../format.ts";
import { placeOf } from "./command-line.ts";

/** What a look saw, and of how many: "28 of 108 dead letters", or "108 dead letters" where it saw all. */
export const seenWords = (result: PassResult): string =>
  result.heldElsewhere === 0 ? allWords(result) : `${count(result.looked)} of ${allWords(result)}`;

/** Dead letters of which some are meant: "108 dead letters", or those that could be looked at. */
export const lookedAtWords = (result: PassResult): string =>
  result.heldElsewhere === 0
    ? allWords(result)
    : `the ${plural(result.looked, "dead letter")} that could be looked at (${inAll(result)} in all)`;

/** What is said where no dead letter is meant. */
export function noneOf(target: Target, result: PassResult): string {
  const { looked, heldElsewhere } = result;
  if (looked > 0) return `${placeOf(target)}: none of ${lookedAtWords(result)} fits`;
  if (heldElsewhere > 0) return `${placeOf(target)}: none of ${allWords(result)} could be looked at`;
  return `${placeOf(target)}: no dead letters`;
}

const allWords = (result: PassResult): string =>
  `${inAll(result)} dead letter${result.looked + result.heldElsewhere === 1 ? "" : "s"}`;

/** How many dead letters there are: what was looked at, and what others hold. */
function inAll({ looked, heldElsewhere, approximate, stoppedBy }: PassResult): string {
  const uncertain = stoppedBy === undefined ? (heldElsewhere > 0 && approximate ? "about " : "") : "at least ";
  return `${uncertain}${count(looked + heldElsewhere)}`;
}
