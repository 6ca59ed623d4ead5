import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { type FileHandle, lstat, open, rename, rm } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import { ConfigurationError, toError } from "../../shared/base/errors.ts";
import { jsonText } from "../../shared/base/exact-json.ts";
import { toExportLine } from "../../shared/dead-letters/export.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { printableJson } from "../screens/printable.ts";

/** `jsonl` can be imported again, `csv` is for spreadsheets. */
export type ExportFormat = "jsonl" | "csv";

/**
 * A file of exported dead letters. The dead letters are written to a new file beside the path, which is renamed once it is
 * complete. So nothing is written into a file that exists, and nobody sees half of an export.
 */
export class ExportFile {
  readonly path: string;
  readonly #writtenTo: string;
  readonly #handle: FileHandle;
  readonly #toText: (deadLetters: readonly DeadLetter[]) => string;

  readonly #force: boolean;

  private constructor(
    path: string,
    writtenTo: string,
    handle: FileHandle,
    { format, force }: { readonly format: ExportFormat; readonly force: boolean },
  ) {
    this.path = path;
    this.#writtenTo = writtenTo;
    this.#handle = handle;
    this.#toText = exportWriter(format);
    this.#force = force;
  }

  /**
   * @param options.growing Whether the file has its final name from the start. A backup does, because dead letters are
   *   deleted while the backup is still being written.
   * @param options.force Whether to replace a file at the path. Anything else at the path is never replaced: a link, a
   *   device, a FIFO, a socket, a directory.
   * @throws {ConfigurationError} Something is at the path that must not be replaced, or the file cannot be written.
   */
  static async create(
    path: string,
    options: { format: ExportFormat; force?: boolean; growing?: boolean },
  ): Promise<ExportFile> {
    const { force = false } = options;
    await refuseExisting(path, force);
    const writtenTo = options.growing === true ? path : `${path}.${randomBytes(4).toString("hex")}.part`;
    try {
      // `wx` creates a new file. It follows no link, and fails if anything is at the path.
      // Items may be confidential, so only the user can read the file.
      const handle = await open(writtenTo, "wx", 0o600);
      return new ExportFile(path, writtenTo, handle, { format: options.format, force });
    } catch (cause) {
      throw cannotBeWritten(path, cause);
    }
  }

  /**
   * Writes dead letters. Resolves once they are on disk.
   *
   * @throws {ConfigurationError} They cannot be written, for example because the disk is full.
   */
  async write(deadLetters: readonly DeadLetter[]): Promise<void> {
    try {
      await this.#handle.writeFile(this.#toText(deadLetters));
      await this.#handle.datasync();
    } catch (cause) {
      throw cannotBeWritten(this.path, cause);
    }
  }

  /**
   * Closes the file, and gives it its final name.
   *
   * @throws {ConfigurationError} In the meantime, something appeared at the path that must not be replaced. The export is
   *   deleted.
   */
  async finish(): Promise<void> {
    await this.#handle.close();
    if (this.#writtenTo === this.path) return;
    try {
      await refuseExisting(this.path, this.#force);
      await rename(this.#writtenTo, this.path);
    } catch (error) {
      await rm(this.#writtenTo, { force: true });
      throw error;
    }
  }

  /** Deletes the file. */
  async discard(): Promise<void> {
    await this.#handle.close();
    await rm(this.#writtenTo, { force: true });
  }
}

const cannotBeWritten = (path: string, cause: unknown): ConfigurationError =>
  new ConfigurationError(`${path} cannot be written: ${toError(cause).message}. Give a path that you can write`, {
    cause,
  });

/** @throws {ConfigurationError} Something is at the path, and it is not a file, or `force` is not set. */
async function refuseExisting(path: string, force: boolean): Promise<void> {
  let found: Stats;
  try {
    // `lstat` follows no link, and opens nothing: opening a FIFO would wait for a writer.
    found = await lstat(path);
  } catch {
    return;
  }
  if (!found.isFile()) {
    throw new ConfigurationError(
      `${path} is ${kindOf(found)}, and an export replaces only files: give the path of a file. Without a path, the dead ` +
        "letters are printed on the standard output",
    );
  }
  if (!force) throw new ConfigurationError(`${path} exists already: give another name, or replace it with --force`);
}

function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return "a symbolic link";
  if (found.isDirectory()) return "a directory";
  if (found.isFIFO()) return "a FIFO";
  return found.isSocket() ? "a socket" : "a device";
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
