import type { Queue } from "../aws/queue.ts";
import { SluiceError } from "../base/errors.ts";
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

/** What is said of dead letters that other commands hold, and what to do. */
export function heldWords(letters: number, approximate: boolean): string {
  const more = `${letters.toLocaleString("en")} more dead ${letters === 1 ? "letter" : "letters"}`;
  const are = letters === 1 ? "is" : "are";
  if (!approximate) {
    return (
      `${more} ${are} held by another command that looks at them now, or that was killed over it. Type this command ` +
      "again when that one has ended; after a kill, SQS gives them back within ten minutes"
    );
  }
  return (
    `About ${more} ${are} held by another command, or left the queue just now: SQS's counts are approximate, and lag by a ` +
    "minute or more. Type this command again then"
  );
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
 * @throws {SluiceError} `UNKNOWN_LETTER`: no id begins so; `LETTERS_HELD`: none of those that could be looked at does, and
 *   others hold some; `AMBIGUOUS_LETTER`: more than one does.
 */
export async function findLetters(
  deadLetterQueue: Queue,
  prefixes: readonly string[],
  options: PassOptions = {},
): Promise<readonly Letter[]> {
  const found = new Map<string, Letter[]>(prefixes.map((prefix) => [prefix, []]));
  const { looked, heldElsewhere, approximate } = await browse(
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
      const unknown = `none of the ${looked} dead letters that could be looked at has an id that begins with "${prefix}"`;
      if (heldElsewhere === 0) throw new SluiceError("UNKNOWN_LETTER", unknown.replace(" that could be looked at", ""));
      throw new SluiceError("LETTERS_HELD", `${unknown}. ${heldWords(heldElsewhere, approximate)}`);
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
