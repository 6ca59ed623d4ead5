import { stringify } from "csv-stringify/sync";
import { jsonText } from "../../shared/base/exact-json.ts";
import { toExportLine } from "../../shared/dead-letters/export.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { NewFile, type NewFileOptions } from "../new-file.ts";
import { printableJson } from "../screens/printable.ts";

/** `jsonl` can be imported again, `csv` is for spreadsheets. */
export type ExportFormat = "jsonl" | "csv";

interface ExportFileOptions extends Omit<NewFileOptions, "instead"> {
  readonly format: ExportFormat;
}

/** A file of exported dead letters. It appears at its path once it is complete. */
export class ExportFile {
  readonly #file: NewFile;
  readonly #toText: (deadLetters: readonly DeadLetter[]) => string;

  private constructor(file: NewFile, format: ExportFormat) {
    this.#file = file;
    this.#toText = exportWriter(format);
  }

  /**
   * Opening a FIFO waits until somebody reads from it.
   *
   * @throws {ConfigurationError} Something is at the path, and `force` is not set or does not help, or the file cannot be
   *   written.
   */
  static async create(path: string, { format, ...options }: ExportFileOptions): Promise<ExportFile> {
    const instead = "Without a path, the dead letters are printed on the standard output";
    return new ExportFile(await NewFile.create(path, { ...options, instead }), format);
  }

  get path(): string {
    return this.#file.path;
  }

  /**
   * Writes dead letters. Resolves once they are on disk.
   *
   * @throws {ConfigurationError} They cannot be written, for example because the disk is full.
   */
  async write(deadLetters: readonly DeadLetter[]): Promise<void> {
    await this.#file.write(this.#toText(deadLetters));
    await this.#file.sync();
  }

  /**
   * Closes the file, and gives it its final name.
   *
   * @throws {ConfigurationError} In the meantime, something appeared at the path that must not be replaced. The export is
   *   deleted.
   */
  async finish(): Promise<void> {
    await this.#file.finish();
  }

  /** Deletes the file. */
  async discard(): Promise<void> {
    await this.#file.discard();
  }
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
