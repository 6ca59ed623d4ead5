import type { Queue } from "../aws/queue.ts";
import { SluiceError } from "../base/errors.ts";
import type { DeadLetter } from "./read-dead-letter.ts";
import { Scan, type ScanOptions, type ScanResult } from "./scan.ts";

/**
 * Reads every dead letter on a dead-letter queue once, and leaves all of them in the queue. The order is approximately
 * the order in which they were sent. For the order in which the items died, sort by `diedAt`.
 *
 * @param see Called with each dead letter. Keep only what you need: there may be 100,000 of them.
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Scan`.
 * @example const groups = new DeadLetterGroups("error");
 * await browse(deadLetterQueue, (deadLetter) => groups.add(deadLetter));
 */
export async function browse(
  deadLetterQueue: Queue,
  see: (deadLetter: DeadLetter) => void,
  options: ScanOptions = {},
): Promise<ScanResult> {
  return await new Scan(deadLetterQueue, options).run((deadLetters) => {
    for (const { receiptHandle: _, ...deadLetter } of deadLetters) see(deadLetter);
  });
}

/** A text for people about dead letters that other commands hold. It says what the user can do. */
export function heldWords(deadLetters: number, approximate: boolean): string {
  const noun = `dead ${deadLetters === 1 ? "letter" : "letters"}`;
  const held = `${deadLetters.toLocaleString("en")} more ${noun} ${deadLetters === 1 ? "is" : "are"} held by another command`;
  if (!approximate) {
    return (
      `${held}, which is still running or was killed. Run this command again when the other command has ended. If it was ` +
      `killed, SQS makes the ${noun} visible again within ten minutes`
    );
  }
  return (
    `About ${held}, or left the queue just now: SQS's counts are approximate, and lag by a ` +
    "minute or more. Run this command again in a few minutes"
  );
}

export interface FindOptions extends ScanOptions {
  /** Whether the id of a group finds the dead letter of the group whose item died last. Default: false. */
  readonly findsGroups?: boolean;
}

/** A group of dead letters with the same error whose id somebody gave for the id of a dead letter. */
interface NamedGroup {
  readonly count: number;
  readonly latest: DeadLetter;
}

/**
 * Finds dead letters by their ids, or by the beginnings of their ids.
 *
 * @returns one dead letter for each prefix, in the order of the prefixes.
 * @throws {SluiceError} `UNKNOWN_LETTER`: no id begins with the prefix. `LETTERS_HELD`: the same, but other commands
 *   hold some dead letters, which could not be read. `AMBIGUOUS_LETTER`: more than one id begins with the prefix.
 *   `GROUP_ID`: the prefix is the id of a group.
 */
export async function findDeadLetters(
  deadLetterQueue: Queue,
  prefixes: readonly string[],
  { findsGroups = false, ...options }: FindOptions = {},
): Promise<readonly DeadLetter[]> {
  const groups = new Map<string, NamedGroup>();
  const found = new Map<string, DeadLetter[]>(prefixes.map((prefix) => [prefix, []]));
  const { looked, heldElsewhere, approximate } = await browse(
    deadLetterQueue,
    (deadLetter) => {
      // Two dead letters are enough to know that the prefix is not unique.
      for (const [prefix, deadLetters] of found)
        if (deadLetters.length < 2 && deadLetter.id.startsWith(prefix)) deadLetters.push(deadLetter);
      const group = deadLetter.fingerprint.id;
      if (!found.has(group)) return;
      const { count, latest } = groups.get(group) ?? { count: 0, latest: deadLetter };
      groups.set(group, { count: count + 1, latest: deadLetter.diedAt >= latest.diedAt ? deadLetter : latest });
    },
    options,
  );
  return prefixes.map((prefix) => {
    const [deadLetter, another] = found.get(prefix) ?? [];
    const group = groups.get(prefix);
    if (deadLetter === undefined && group !== undefined) {
      if (findsGroups) return group.latest;
      throw new SluiceError("GROUP_ID", groupWords(prefix, group));
    }
    if (deadLetter === undefined) {
      const unknown = `none of the ${looked} dead letters that could be read has an id that begins with "${prefix}"`;
      if (heldElsewhere === 0) throw new SluiceError("UNKNOWN_LETTER", unknown.replace(" that could be read", ""));
      throw new SluiceError("LETTERS_HELD", `${unknown}. ${heldWords(heldElsewhere, approximate)}`);
    }
    if (another !== undefined) {
      throw new SluiceError(
        "AMBIGUOUS_LETTER",
        `more than one dead letter has an id that begins with "${prefix}", such as ${deadLetter.id} and ${another.id}: type more of the id`,
      );
    }
    return deadLetter;
  });
}

const groupWords = (id: string, { count, latest }: NamedGroup): string =>
  `"${id}" is not the id of a dead letter, but of a group: ${count.toLocaleString("en")} dead ` +
  `${count === 1 ? "letter has" : "letters have"} this error. Select the group with: --error ${id}. Show the latest of ` +
  `them with: npx sluice dlq show ${latest.id.slice(0, 8)}`;
