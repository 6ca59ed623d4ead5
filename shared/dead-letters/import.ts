import { createHash } from "node:crypto";
import * as z from "zod";
import type { OutgoingMessage, Queue } from "../aws/queue.ts";
import { SluiceError } from "../base/errors.ts";
import type { ItemFate, Ledger } from "../ledger/ledger.ts";
import { heldWords } from "./browse.ts";
import { isOurs, itemOf, type Letter, toLetter, toMessageAttribute } from "./letter.ts";
import { Pass, type PassOptions, type PassResult } from "./pass.ts";

export interface ImportOptions extends PassOptions {
  readonly deadLetterQueue: Queue;
  readonly ledger: Ledger;
  /** Whose queue it is: in another one's, an item could only die again. */
  readonly workflow: string;
  /** Lines of an export; empty ones are passed over. */
  readonly lines: AsyncIterable<string> | Iterable<string>;
  /** Sends nothing, and tells what would be. Default: false. */
  readonly dryRun?: boolean | undefined;
  /** After each step. */
  readonly onImported?: ((imported: number) => void) | undefined;
}

export interface ImportResult {
  /** Letters in the lines. */
  readonly read: number;
  /** With `dryRun`: would be. */
  readonly imported: number;
  /** Left out: the same letter, or a later one of its item, lies on the queue. */
  readonly alreadyThere: number;
  /** Left out: their items have succeeded. */
  readonly alreadyDone: number;
  /** Left out: their items were redriven, and are at work. */
  readonly atWork: number;
  /** Lines that are no letters, or another workflow's; at most 100. Nothing stops at them. */
  readonly invalid: readonly { readonly line: number; readonly message: string }[];
  readonly invalidLines: number;
  /** SQS refused them each time. */
  readonly refused: number;
  /** What the look at the queue before it came to. */
  readonly pass: PassResult;
}

const LETTERS_PER_STEP = 50;
const MOST_INVALID_TOLD = 100;

const lineSchema = z.looseObject({
  sluiceLetter: z.literal(1),
  body: z.string().min(1),
  attributes: z
    .record(
      z.string(),
      z.strictObject({
        dataType: z.string(),
        stringValue: z.string().optional(),
        binaryValue: z.base64().optional(),
      }),
    )
    .default({}),
});

/** Reads a line of an export. @throws {Error} It is none; the message says why. */
function parseLine(line: string): OutgoingMessage {
  const parsed = lineSchema.safeParse(JSON.parse(line));
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  const { body, attributes } = parsed.data;
  return {
    body,
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, { dataType, stringValue, binaryValue }]) => [
        name,
        toMessageAttribute({
          dataType,
          ...(stringValue !== undefined && { stringValue }),
          ...(binaryValue !== undefined && { binaryValue }),
        }),
      ]),
    ),
  };
}

/**
 * Puts exported letters back on the dead-letter queue. It can be repeated: what is there already, or was redriven or has
 * succeeded since, is left out. The letters get new ids.
 *
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Pass`. `LETTERS_HELD`: others hold letters of the queue, which may be the same;
 *   nothing was sent. With `dryRun` the result says so instead.
 */
export async function importLetters(options: ImportOptions): Promise<ImportResult> {
  const { deadLetterQueue, ledger, workflow, lines, dryRun = false, onImported, signal } = options;
  const present = new Presence();
  const pass = await new Pass(deadLetterQueue, options).run((letters) => {
    for (const letter of letters) present.add(letter);
  });
  if (pass.heldElsewhere > 0 && !dryRun) {
    throw new SluiceError(
      "LETTERS_HELD",
      "nothing was put back, because letters of the file may be among those that could not be looked at, and would lie " +
        `there twice. ${heldWords(pass.heldElsewhere, pass.approximate)}`,
    );
  }
  const invalid: { line: number; message: string }[] = [];
  const counts = { read: 0, imported: 0, alreadyThere: 0, alreadyDone: 0, atWork: 0, invalidLines: 0, refused: 0 };
  let pending: { readonly message: OutgoingMessage; readonly letter: Letter }[] = [];
  const flush = async () => {
    const some = pending;
    pending = [];
    const ours = some.map(({ letter }) => letter).filter((letter) => isOurs(letter));
    const fates = ours.length === 0 ? [] : await ledger.itemFates(ours.map(itemOf));
    const fateOf = new Map<Letter, ItemFate | undefined>(ours.map((letter, index) => [letter, fates[index]]));
    const wanted = some.filter(({ letter }) => {
      const fate = fateOf.get(letter);
      if (fate?.tag === "done") counts.alreadyDone++;
      else if (present.take(letter)) counts.alreadyThere++;
      else if (isAtWork(letter, fate)) counts.atWork++;
      else {
        if (isOurs(letter)) present.add(letter);
        return true;
      }
      return false;
    });
    const refused = dryRun ? new Map() : await deadLetterQueue.sendEach(wanted.map(({ message }) => message));
    counts.refused += refused.size;
    counts.imported += wanted.length - refused.size;
    onImported?.(counts.imported);
  };
  let number = 0;
  for await (const line of lines) {
    if (signal?.aborted) break;
    number++;
    if (line.trim() === "") continue;
    try {
      const message = parseLine(line);
      const letter = letterOf(message);
      if (letter.workflow !== null && letter.workflow !== workflow) {
        throw new Error(`it is a letter of the workflow "${letter.workflow}", and not of "${workflow}"`);
      }
      counts.read++;
      pending.push({ message, letter });
    } catch (error) {
      counts.invalidLines++;
      if (invalid.length < MOST_INVALID_TOLD) invalid.push({ line: number, message: (error as Error).message });
    }
    if (pending.length >= LETTERS_PER_STEP) await flush();
  }
  if (!signal?.aborted) await flush();
  return { ...counts, invalid, pass };
}

const letterOf = ({ body, attributes = {} }: OutgoingMessage): Letter =>
  toLetter({ id: "", receiptHandle: "", body, receiveCount: 0, attributes });

/** Of a message that SQS moved the item is pending as well, but nobody works on it until it is redriven. */
const isAtWork = ({ kind }: Letter, fate: ItemFate | undefined): boolean =>
  fate?.tag === "pending" && (kind === "dead letter" || fate.redriven);

/** Which letters lie on the queue, known again by what they are and not by their ids. */
class Presence {
  /** Of our items: the latest life that died. */
  readonly #lives = new Map<string, number>();
  /** Of foreign letters, which may be there several times. */
  readonly #foreign = new Map<string, number>();

  add(letter: Letter): void {
    if (!isOurs(letter)) {
      const hash = hashOf(letter);
      this.#foreign.set(hash, (this.#foreign.get(hash) ?? 0) + 1);
      return;
    }
    const key = keyOf(letter);
    this.#lives.set(key, Math.max(letter.redrives, this.#lives.get(key) ?? -1));
  }

  /** Whether a letter is there. Of equal foreign ones, each that is there accounts for one. */
  take(letter: Letter): boolean {
    if (isOurs(letter)) return (this.#lives.get(keyOf(letter)) ?? -1) >= letter.redrives;
    const hash = hashOf(letter);
    const there = this.#foreign.get(hash) ?? 0;
    if (there > 0) this.#foreign.set(hash, there - 1);
    return there > 0;
  }
}

const keyOf = ({ workflow, run, page, index, epoch }: Letter): string =>
  JSON.stringify([workflow, run, page, index, epoch]);

const hashOf = ({ body, attributes }: Letter): string =>
  createHash("sha256")
    .update(JSON.stringify([body, Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))]))
    .digest("base64");
