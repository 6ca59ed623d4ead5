import { findLetters } from "../../shared/dead-letters/browse.ts";
import type { Letter } from "../../shared/dead-letters/letter.ts";
import type { Target } from "../target.ts";
import { isMeant } from "./letter-filter.ts";
import type { LetterOptions } from "./letter-options.ts";

/**
 * Which letters a command means: those of the ids, or all, as far as they fit the filters.
 *
 * @param ids Of letters, or how they begin.
 * @throws {SluiceError} `UNKNOWN_LETTER`, `AMBIGUOUS_LETTER`
 */
export async function selection(
  { services, local }: Target,
  ids: readonly string[],
  options: LetterOptions,
): Promise<(letter: Letter) => boolean> {
  if (ids.length === 0) return (letter) => isMeant(letter, options);
  const found = await findLetters(services.deadLetterQueue, ids, { exactCounts: local !== undefined });
  const chosen = new Set(found.map(({ id }) => id));
  return (letter) => chosen.has(letter.id) && isMeant(letter, options);
}
