import { createHash } from "node:crypto";
import * as z from "zod";
import type { OutgoingMessage, Queue } from "../aws/queue.ts";
import { SluiceError } from "../base/errors.ts";
import type { ItemFate } from "../ledger/item-ledger.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { heldWords } from "./browse.ts";
import { type DeadLetter, hasItemAddress, itemOf, toDeadLetter, toMessageAttribute } from "./read-dead-letter.ts";
import { Scan, type ScanOptions, type ScanResult } from "./scan.ts";

export interface ImportOptions extends ScanOptions {
  readonly deadLetterQueue: Queue;
  readonly ledger: Ledger;
  /**
   * The workflow of the queue. A dead letter of another workflow is refused: this workflow's task cannot process its
   * item, so a redrive would only make it a dead letter again.
   */
  readonly workflow: string;
  /** The lines of an export. Empty lines are skipped. */
  readonly lines: AsyncIterable<string> | Iterable<string>;
  /** Sends nothing, and returns what it would send. Default: false. */
  readonly dryRun?: boolean | undefined;
  /** Called after each step. */
  readonly onImported?: ((imported: number) => void) | undefined;
}

export interface ImportResult {
  /** How many dead letters the lines have. */
  readonly read: number;
  /** How many were put back. With `dryRun`: how many would be. */
  readonly imported: number;
  /** Skipped: the queue has the same dead letter, or another one of the same item. */
  readonly alreadyThere: number;
  /** Skipped: the items have succeeded. */
  readonly alreadyDone: number;
  /** Skipped: the items were redriven, and are pending. */
  readonly atWork: number;
  /** The first 100 lines that do not hold a dead letter of this workflow. The import continues after such lines. */
  readonly invalid: readonly { readonly line: number; readonly message: string }[];
  readonly invalidLines: number;
  /** How many dead letters SQS refused at every try. */
  readonly refused: number;
  /** The result of the scan of the queue before the import. */
  readonly scan: ScanResult;
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

/** Reads a line of an export. @throws {Error} The line is not a dead letter. The message says why. */
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
 * Puts exported dead letters back on the dead-letter queue. The dead letters get new ids. An import can be repeated: it
 * skips dead letters that are in the queue, and items that were redriven or have succeeded since the export.
 *
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Scan`.
 * @throws {SluiceError} `LETTERS_HELD`: other commands hold dead letters of the queue, which may be those of the file.
 *   Nothing was sent. With `dryRun`, the result says so instead.
 */
export async function importDeadLetters(options: ImportOptions): Promise<ImportResult> {
  const { deadLetterQueue, ledger, workflow, lines, dryRun = false, onImported, signal } = options;
  const present = new Presence();
  const scan = await new Scan(deadLetterQueue, options).run((deadLetters) => {
    for (const deadLetter of deadLetters) present.add(deadLetter);
  });
  if (scan.heldElsewhere > 0 && !dryRun) {
    throw new SluiceError(
      "LETTERS_HELD",
      "nothing was put back, because some dead letters of the queue could not be read. Those of the file may be among " +
        `them, and would then be in the queue twice. ${heldWords(scan.heldElsewhere, scan.approximate)}`,
    );
  }
  const invalid: { line: number; message: string }[] = [];
  const counts = { read: 0, imported: 0, alreadyThere: 0, alreadyDone: 0, atWork: 0, invalidLines: 0, refused: 0 };
  let pending: { readonly message: OutgoingMessage; readonly deadLetter: DeadLetter }[] = [];
  const flush = async () => {
    const some = pending;
    pending = [];
    const addressed = some.map(({ deadLetter }) => deadLetter).filter((deadLetter) => hasItemAddress(deadLetter));
    const fates = addressed.length === 0 ? [] : await ledger.itemFates(addressed.map(itemOf));
    const fateOf = new Map<DeadLetter, ItemFate | undefined>(
      addressed.map((deadLetter, index) => [deadLetter, fates[index]]),
    );
    const wanted = some.filter(({ deadLetter }) => {
      const fate = fateOf.get(deadLetter);
      if (fate?.tag === "done") counts.alreadyDone++;
      else if (present.take(deadLetter)) counts.alreadyThere++;
      else if (isAtWork(deadLetter, fate)) counts.atWork++;
      else {
        if (hasItemAddress(deadLetter)) present.add(deadLetter);
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
  return { ...counts, invalid, scan };
}

const deadLetterOf = ({ body, attributes = {} }: OutgoingMessage): DeadLetter =>
  toDeadLetter({ id: "", receiptHandle: "", body, receiveCount: 0, attributes });

/**
 * Whether a consumer has, or will receive, a message of the item. The item of a `raw` dead letter is pending too, but
 * no consumer receives it before a redrive.
 */
const isAtWork = ({ kind }: DeadLetter, fate: ItemFate | undefined): boolean =>
  fate?.tag === "pending" && (kind === "dead letter" || fate.redriven);

/** The dead letters on the queue. They are compared by their content and not by their ids. */
class Presence {
  /**
   * The items that have a dead letter in the queue, of any redrive generation. A second dead letter would put the item
   * into the queue twice.
   */
  readonly #items = new Set<string>();
  /** How many equal foreign dead letters the queue has, by a hash of their content. */
  readonly #foreign = new Map<string, number>();

  add(deadLetter: DeadLetter): void {
    if (!hasItemAddress(deadLetter)) {
      const hash = hashOf(deadLetter);
      this.#foreign.set(hash, (this.#foreign.get(hash) ?? 0) + 1);
      return;
    }
    this.#items.add(keyOf(deadLetter));
  }

  /**
   * Whether the queue has this dead letter, or another one of its item. The queue can have several equal foreign dead
   * letters, so each of them matches only once.
   */
  take(deadLetter: DeadLetter): boolean {
    if (hasItemAddress(deadLetter)) return this.#items.has(keyOf(deadLetter));
    const hash = hashOf(deadLetter);
    const there = this.#foreign.get(hash) ?? 0;
    if (there > 0) this.#foreign.set(hash, there - 1);
    return there > 0;
  }
}

const keyOf = ({ workflow, run, partition = 0, page, index, epoch }: DeadLetter): string =>
  JSON.stringify([workflow, run, partition, page, index, epoch]);

const hashOf = ({ body, attributes }: DeadLetter): string =>
  createHash("sha256")
    .update(JSON.stringify([body, Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))]))
    .digest("base64");
