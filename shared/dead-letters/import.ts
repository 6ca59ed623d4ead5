import { createHash } from "node:crypto";
import * as z from "zod";
import type { OutgoingMessage, Queue } from "../aws/queue.ts";
import { SluiceError } from "../base/errors.ts";
import type { ItemFate, Ledger } from "../ledger/ledger.ts";
import { heldWords } from "./browse.ts";
import { Pass, type PassOptions, type PassResult } from "./pass.ts";
import { type DeadLetter, isOurs, itemOf, toDeadLetter, toMessageAttribute } from "./read-dead-letter.ts";

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
  /** Dead letters in the lines. */
  readonly read: number;
  /** With `dryRun`: would be. */
  readonly imported: number;
  /** Left out: the same dead letter, or a later one of its item, lies on the queue. */
  readonly alreadyThere: number;
  /** Left out: their items have succeeded. */
  readonly alreadyDone: number;
  /** Left out: their items were redriven, and are at work. */
  readonly atWork: number;
  /** Lines that are no dead letters, or another workflow's; at most 100. Nothing stops at them. */
  readonly invalid: readonly { readonly line: number; readonly message: string }[];
  readonly invalidLines: number;
  /** SQS refused them each time. */
  readonly refused: number;
  /** What the look at the queue before it came to. */
  readonly pass: PassResult;
}

const DEAD_LETTERS_PER_STEP = 50;
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
 * Puts exported dead letters back on the dead-letter queue. It can be repeated: what is there already, or was redriven or has
 * succeeded since, is left out. The dead letters get new ids.
 *
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Pass`. `LETTERS_HELD`: others hold dead letters of the queue, which may be the same;
 *   nothing was sent. With `dryRun` the result says so instead.
 */
export async function importDeadLetters(options: ImportOptions): Promise<ImportResult> {
  const { deadLetterQueue, ledger, workflow, lines, dryRun = false, onImported, signal } = options;
  const present = new Presence();
  const pass = await new Pass(deadLetterQueue, options).run((deadLetters) => {
    for (const deadLetter of deadLetters) present.add(deadLetter);
  });
  if (pass.heldElsewhere > 0 && !dryRun) {
    throw new SluiceError(
      "LETTERS_HELD",
      "nothing was put back, because dead letters of the file may be among those that could not be looked at, and would lie " +
        `there twice. ${heldWords(pass.heldElsewhere, pass.approximate)}`,
    );
  }
  const invalid: { line: number; message: string }[] = [];
  const counts = { read: 0, imported: 0, alreadyThere: 0, alreadyDone: 0, atWork: 0, invalidLines: 0, refused: 0 };
  let pending: { readonly message: OutgoingMessage; readonly deadLetter: DeadLetter }[] = [];
  const flush = async () => {
    const some = pending;
    pending = [];
    const ours = some.map(({ deadLetter }) => deadLetter).filter((deadLetter) => isOurs(deadLetter));
    const fates = ours.length === 0 ? [] : await ledger.itemFates(ours.map(itemOf));
    const fateOf = new Map<DeadLetter, ItemFate | undefined>(
      ours.map((deadLetter, index) => [deadLetter, fates[index]]),
    );
    const wanted = some.filter(({ deadLetter }) => {
      const fate = fateOf.get(deadLetter);
      if (fate?.tag === "done") counts.alreadyDone++;
      else if (present.take(deadLetter)) counts.alreadyThere++;
      else if (isAtWork(deadLetter, fate)) counts.atWork++;
      else {
        if (isOurs(deadLetter)) present.add(deadLetter);
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
      const deadLetter = deadLetterOf(message);
      if (deadLetter.workflow !== null && deadLetter.workflow !== workflow) {
        throw new Error(`it is a dead letter of the workflow "${deadLetter.workflow}", and not of "${workflow}"`);
      }
      counts.read++;
      pending.push({ message, deadLetter });
    } catch (error) {
      counts.invalidLines++;
      if (invalid.length < MOST_INVALID_TOLD) invalid.push({ line: number, message: (error as Error).message });
    }
    if (pending.length >= DEAD_LETTERS_PER_STEP) await flush();
  }
  if (!signal?.aborted) await flush();
  return { ...counts, invalid, pass };
}

const deadLetterOf = ({ body, attributes = {} }: OutgoingMessage): DeadLetter =>
  toDeadLetter({ id: "", receiptHandle: "", body, receiveCount: 0, attributes });

/** Of a message that SQS moved the item is pending as well, but nobody works on it until it is redriven. */
const isAtWork = ({ kind }: DeadLetter, fate: ItemFate | undefined): boolean =>
  fate?.tag === "pending" && (kind === "dead letter" || fate.redriven);

/** Which dead letters lie on the queue, known again by what they are and not by their ids. */
class Presence {
  /** Of our items: the latest life that died. */
  readonly #lives = new Map<string, number>();
  /** Of foreign dead letters, which may be there several times. */
  readonly #foreign = new Map<string, number>();

  add(deadLetter: DeadLetter): void {
    if (!isOurs(deadLetter)) {
      const hash = hashOf(deadLetter);
      this.#foreign.set(hash, (this.#foreign.get(hash) ?? 0) + 1);
      return;
    }
    const key = keyOf(deadLetter);
    this.#lives.set(key, Math.max(deadLetter.redrives, this.#lives.get(key) ?? -1));
  }

  /** Whether a dead letter is there. Of equal foreign ones, each that is there accounts for one. */
  take(deadLetter: DeadLetter): boolean {
    if (isOurs(deadLetter)) return (this.#lives.get(keyOf(deadLetter)) ?? -1) >= deadLetter.redrives;
    const hash = hashOf(deadLetter);
    const there = this.#foreign.get(hash) ?? 0;
    if (there > 0) this.#foreign.set(hash, there - 1);
    return there > 0;
  }
}

const keyOf = ({ workflow, run, page, index, epoch }: DeadLetter): string =>
  JSON.stringify([workflow, run, page, index, epoch]);

const hashOf = ({ body, attributes }: DeadLetter): string =>
  createHash("sha256")
    .update(JSON.stringify([body, Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))]))
    .digest("base64");
