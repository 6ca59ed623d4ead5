import { findDeadLetters } from "../../shared/dead-letters/browse.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { DeadLetterOptions } from "../options/dead-letter-options.ts";
import type { Target } from "../targets/target.ts";
import { matches } from "./filter.ts";

/** The dead letters that a command acts on. */
export interface Selection {
  readonly selects: (deadLetter: DeadLetter) => boolean;
  /** How many there are, if the user named them by their ids. */
  readonly named: number | undefined;
}

/**
 * Selects the dead letters with the given ids, or all of them; in both cases only those that match the filters.
 *
 * @param ids Ids, or the starts of ids.
 * @throws {SluiceError} `UNKNOWN_LETTER`, `AMBIGUOUS_LETTER`, `LETTERS_HELD`
 */
export async function selection(
  { services, local }: Target,
  ids: readonly string[],
  options: DeadLetterOptions,
): Promise<Selection> {
  if (ids.length === 0) return { selects: (deadLetter) => matches(deadLetter, options), named: undefined };
  const found = await findDeadLetters(services.deadLetterQueue, ids, { exactCounts: local !== undefined });
  const chosen = new Set(found.filter((deadLetter) => matches(deadLetter, options)).map(({ id }) => id));
  return { selects: ({ id }) => chosen.has(id), named: chosen.size };
}
