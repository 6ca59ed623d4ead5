import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { jsonText } from "../../shared/base/exact-json.ts";
import { toExportLine } from "../../shared/dead-letters/export.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { printableJson } from "../screens/printable.ts";

/** `jsonl` can be imported again, `csv` is for spreadsheets. */
export type ExportFormat = "jsonl" | "csv";

/** A file of exported dead letters. */
export class ExportFile {
  readonly path: string;
  readonly #writtenTo: string;
  readonly #handle: FileHandle;
  readonly #toText: (deadLetters: readonly DeadLetter[]) => string;

  private constructor(path: string, writtenTo: string, handle: FileHandle, format: ExportFormat) {
    this.path = path;
    this.#writtenTo = writtenTo;
    this.#handle = handle;
    this.#toText = exportWriter(format);
  }

  /**
   * @param options.growing Whether the file has its final name from the start. A backup does, because dead letters are
   *   deleted while the backup is still being written. Otherwise the file gets its name once it is complete.
   * @param options.force Whether to replace an existing file.
   * @throws {ConfigurationError} The file exists, or cannot be written.
   */
  static async create(
    path: string,
    options: { format: ExportFormat; force?: boolean; growing?: boolean },
  ): Promise<ExportFile> {
    if (options.force !== true) await refuseExisting(path);
    const writtenTo = options.growing === true ? path : `${path}.part`;
    try {
      // Items may be confidential, so only the user can read the file.
      return new ExportFile(path, writtenTo, await open(writtenTo, "w", 0o600), options.format);
    } catch (cause) {
      throw new ConfigurationError(`${path} cannot be written: ${(cause as Error).message}`, { cause });
    }
  }

  /** Writes dead letters. Resolves once they are on disk. */
  async write(deadLetters: readonly DeadLetter[]): Promise<void> {
    await this.#handle.writeFile(this.#toText(deadLetters));
    await this.#handle.datasync();
  }

  /** Closes the file, and gives it its final name. */
  async finish(): Promise<void> {
    await this.#handle.close();
    await rename(this.#writtenTo, this.path);
  }

  /** Deletes the file. */
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
  throw new ConfigurationError(`${path} exists already: give another name, or replace it with --force`);
}

/** Returns a function that turns dead letters into text, some at a time. For CSV, the first call also returns the header. */
export function exportWriter(format: ExportFormat): (deadLetters: readonly DeadLetter[]) => string {
  if (format === "jsonl")
    return (deadLetters) => deadLetters.map((deadLetter) => `${printableJson(toExportLine(deadLetter))}\n`).join("");
  let header = true;
  return (deadLetters) => {
    const text = stringify(deadLetters.map(toRow), {
      header,
      columns: [...COLUMNS],
      // A spreadsheet must not run text from elsewhere as a formula.
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
