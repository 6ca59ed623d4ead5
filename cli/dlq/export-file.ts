import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { jsonText } from "../../shared/base/exact-json.ts";
import { toExportLine } from "../../shared/dead-letters/export.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { printableJson } from "../screens/printable.ts";

/** How dead letters are written: `jsonl` can be imported, `csv` is for spreadsheets. */
export type DeadLetterFormat = "jsonl" | "csv";

/** A file of letters. */
export class DeadLetterFile {
  readonly path: string;
  readonly #writtenTo: string;
  readonly #handle: FileHandle;
  readonly #toText: (deadLetters: readonly DeadLetter[]) => string;

  private constructor(path: string, writtenTo: string, handle: FileHandle, format: DeadLetterFormat) {
    this.path = path;
    this.#writtenTo = writtenTo;
    this.#handle = handle;
    this.#toText = deadLetterWriter(format);
  }

  /**
   * @param options.growing It has its name from the start, for what is written is all that is left of the letters. Else it
   * gets its name when it is whole.
   * @param options.force Whether it replaces another.
   * @throws {ConfigurationError} There is such a file already, or it cannot be written.
   */
  static async create(
    path: string,
    options: { format: DeadLetterFormat; force?: boolean; growing?: boolean },
  ): Promise<DeadLetterFile> {
    if (options.force !== true) await refuseExisting(path);
    const writtenTo = options.growing === true ? path : `${path}.part`;
    try {
      // Items may be nobody else's business.
      return new DeadLetterFile(path, writtenTo, await open(writtenTo, "w", 0o600), options.format);
    } catch (cause) {
      throw new ConfigurationError(`${path} cannot be written: ${(cause as Error).message}`, { cause });
    }
  }

  /** Writes dead letters; resolves once they are safe from a crash of the machine. */
  async write(deadLetters: readonly DeadLetter[]): Promise<void> {
    await this.#handle.writeFile(this.#toText(deadLetters));
    await this.#handle.datasync();
  }

  /** Gives it its name. */
  async finish(): Promise<void> {
    await this.#handle.close();
    await rename(this.#writtenTo, this.path);
  }

  async discard(): Promise<void> {
    await this.#handle.close();
    await rm(this.#writtenTo, { force: true });
  }
}

async function refuseExisting(path: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch {
    return;
  }
  await handle.close();
  throw new ConfigurationError(`${path} is there already: give another name, or --force to replace it`);
}

/** Turns dead letters into text, some at a time: the first call also writes what stands above them. */
export function deadLetterWriter(format: DeadLetterFormat): (deadLetters: readonly DeadLetter[]) => string {
  if (format === "jsonl")
    return (deadLetters) => deadLetters.map((deadLetter) => `${printableJson(toExportLine(deadLetter))}\n`).join("");
  let header = true;
  return (deadLetters) => {
    const text = stringify(deadLetters.map(toRow), {
      header,
      columns: [...COLUMNS],
      // A text that others wrote must not be a formula that a spreadsheet runs.
      escape_formulas: true,
    });
    header = false;
    return text;
  };
}

const COLUMNS = [
  "id",
  "workflow",
  "run",
  "page",
  "index",
  "kind",
  "reason",
  "diedAt",
  "sentAt",
  "attempts",
  "redrives",
  "errorName",
  "errorMessage",
  "fingerprint",
  "item",
] as const;

function toRow(deadLetter: DeadLetter): Readonly<Record<(typeof COLUMNS)[number], string | number | null>> {
  const { id, workflow, run, page, index, kind, reason, diedAt, sentAt, redrives, failures, error, fingerprint } =
    deadLetter;
  return {
    id,
    workflow,
    run,
    page,
    index,
    kind,
    reason,
    diedAt,
    sentAt,
    attempts: failures.length,
    redrives,
    errorName: error.name,
    errorMessage: error.message,
    fingerprint: fingerprint.id,
    item: typeof deadLetter.item === "string" ? deadLetter.item : (jsonText(deadLetter.item) ?? ""),
  };
}
