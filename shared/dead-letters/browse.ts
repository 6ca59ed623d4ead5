import { SluiceError } from "../errors.ts";
import type { Queue } from "../queue.ts";
import type { Letter } from "./letter.ts";
import { Pass, type PassOptions, type PassResult } from "./pass.ts";

/**
 * Looks at every letter on a dead-letter queue once, and gives all of them back. Letters come in about the order in
 * which they were sent; sort by `diedAt` for the order of death.
 *
 * @param see Called with each letter. Keep what you need and no more: there may be 100,000.
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Pass`.
 * @example const groups = new LetterGroups("error");
 * await browse(deadLetterQueue, (letter) => groups.add(letter));
 */
export async function browse(
  deadLetterQueue: Queue,
  see: (letter: Letter) => void,
  options: PassOptions = {},
): Promise<PassResult> {
  return await new Pass(deadLetterQueue, options).run((letters) => {
    for (const { receiptHandle: _, ...letter } of letters) see(letter);
  });
}

/** The letter whose id begins with a text, or none, or several of them. */
export interface FoundLetter {
  readonly prefix: string;
  readonly letter: Letter;
}

/**
 * Finds letters by their ids, or by the beginnings of their ids.
 *
 * @returns one for each prefix, in the order asked.
 * @throws {SluiceError} `UNKNOWN_LETTER`: no id begins so; `AMBIGUOUS_LETTER`: more than one does.
 */
export async function findLetters(
  deadLetterQueue: Queue,
  prefixes: readonly string[],
  options: PassOptions = {},
): Promise<readonly Letter[]> {
  const found = new Map<string, Letter[]>(prefixes.map((prefix) => [prefix, []]));
  const { looked, heldElsewhere } = await browse(
    deadLetterQueue,
    (letter) => {
      // A second one is enough to know that it is not unique.
      for (const [prefix, letters] of found)
        if (letters.length < 2 && letter.id.startsWith(prefix)) letters.push(letter);
    },
    options,
  );
  return prefixes.map((prefix) => {
    const [letter, another] = found.get(prefix) ?? [];
    if (letter === undefined) {
      const held =
        heldElsewhere === 0 ? "" : ` (${heldElsewhere} are held by somebody else and could not be looked at)`;
      throw new SluiceError(
        "UNKNOWN_LETTER",
        `none of the ${looked} letters has an id that begins with "${prefix}"${held}`,
      );
    }
    if (another !== undefined) {
      throw new SluiceError(
        "AMBIGUOUS_LETTER",
        `more than one letter has an id that begins with "${prefix}", such as ${letter.id} and ${another.id}: type more of it`,
      );
    }
    return letter;
  });
}
