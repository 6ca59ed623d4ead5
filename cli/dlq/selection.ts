import { findDeadLetters } from "../../shared/dead-letters/browse.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { DeadLetterOptions } from "../options/dead-letter-options.ts";
import type { Target } from "../targets/target.ts";
import { isMeant } from "./filter.ts";

/** Dead letters that a command means. */
export interface Selection {
  readonly isMeant: (deadLetter: DeadLetter) => boolean;
  /** How many they are, where their ids are known. */
  readonly named: number | undefined;
}

/**
 * Which dead letters a command means: those of the ids, or all, as far as they fit the filters.
 *
 * @param ids Of dead letters, or how they begin.
 * @throws {SluiceError} `UNKNOWN_LETTER`, `AMBIGUOUS_LETTER`, `LETTERS_HELD`
 */
export async function selection(
  { services, local }: Target,
  ids: readonly string[],
  options: DeadLetterOptions,
): Promise<Selection> {
  if (ids.length === 0) return { isMeant: (deadLetter) => isMeant(deadLetter, options), named: undefined };
  const found = await findDeadLetters(services.deadLetterQueue, ids, { exactCounts: local !== undefined });
  const chosen = new Set(found.filter((deadLetter) => isMeant(deadLetter, options)).map(({ id }) => id));
  return { isMeant: ({ id }) => chosen.has(id), named: chosen.size };
}
