import { findLetters } from "../../shared/dead-letters/browse.ts";
import type { Letter } from "../../shared/dead-letters/letter.ts";
import type { Target } from "../target.ts";
import { isMeant } from "./letter-filter.ts";
import type { LetterOptions } from "./letter-options.ts";

/** Letters that a command means. */
export interface Selection {
  readonly isMeant: (letter: Letter) => boolean;
  /** How many they are, where their ids are known. */
  readonly named: number | undefined;
}

/**
 * Which letters a command means: those of the ids, or all, as far as they fit the filters.
 *
 * @param ids Of letters, or how they begin.
 * @throws {SluiceError} `UNKNOWN_LETTER`, `AMBIGUOUS_LETTER`, `LETTERS_HELD`
 */
export async function selection(
  { services, local }: Target,
  ids: readonly string[],
  options: LetterOptions,
): Promise<Selection> {
  if (ids.length === 0) return { isMeant: (letter) => isMeant(letter, options), named: undefined };
  const found = await findLetters(services.deadLetterQueue, ids, { exactCounts: local !== undefined });
  const chosen = new Set(found.filter((letter) => isMeant(letter, options)).map(({ id }) => id));
  return { isMeant: ({ id }) => chosen.has(id), named: chosen.size };
}
