import type { ScanResult } from "../../../shared/dead-letters/scan.ts";
import type { Target } from "../../targets/target.ts";
import { count, plural } from "../format.ts";
import { placeOf } from "./command-line.ts";

/** How many dead letters a scan read: "28 of 108 dead letters", or "108 dead letters" if it read all. */
export const allReadText = (result: ScanResult): string =>
  result.heldElsewhere === 0 ? allWords(result) : `${count(result.looked)} of ${allWords(result)}`;

/** The dead letters that a scan read, for "3 of …": "108 dead letters", or "the 28 dead letters that could be read". */
export const readText = (result: ScanResult): string =>
  result.heldElsewhere === 0
    ? allWords(result)
    : `the ${plural(result.looked, "dead letter")} that could be read (${inAll(result)} in all)`;

/** Says that no dead letter matches. */
export function noneMatchesText(target: Target, result: ScanResult): string {
  const { looked, heldElsewhere } = result;
  if (looked > 0) return `${placeOf(target)}: none of ${readText(result)} matches the filters`;
  if (heldElsewhere > 0) return `${placeOf(target)}: none of ${allWords(result)} could be read`;
  return `${placeOf(target)}: no dead letters`;
}

const allWords = (result: ScanResult): string =>
  `${inAll(result)} dead letter${result.looked + result.heldElsewhere === 1 ? "" : "s"}`;

/** How many dead letters there are: those that the scan read, and those that other commands hold. */
function inAll({ looked, heldElsewhere, approximate, stoppedBy }: ScanResult): string {
  const uncertain = stoppedBy === undefined ? (heldElsewhere > 0 && approximate ? "about " : "") : "at least ";
  return `${uncertain}${count(looked + heldElsewhere)}`;
}
