import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { type FileHandle, lstat, open, readlink, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { stringify } from "csv-stringify/sync";
import { ConfigurationError, toError } from "../../shared/base/errors.ts";
import { jsonText } from "../../shared/base/exact-json.ts";
import { toExportLine } from "../../shared/dead-letters/export.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { printableJson } from "../screens/printable.ts";

/** `jsonl` can be imported again, `csv` is for spreadsheets. */
export type ExportFormat = "jsonl" | "csv";

/** What an export is written to. */
interface Destination {
  /** The file that the export becomes: the path, or the file that a link at the path leads to. */
  readonly file: string;
  /**
   * - `draft`: a new file beside `file`, which is renamed once it is complete.
   * - `growing`: a new file that has its final name from the start.
   * - `stream`: a device or a FIFO. It gets the text, and stays what it is.
   */
  readonly kind: "draft" | "growing" | "stream";
}

interface ExportFileOptions {
  readonly format: ExportFormat;
  /**
   * Whether to write to what is at the path. A file is replaced, links are followed, and a device or a FIFO gets the text. A
   * directory and a socket are always refused. Default: false.
   */
  readonly force?: boolean;
  /**
   * Whether the file has its final name from the start. A backup does, because dead letters are deleted while the backup
   * is still being written. Default: false.
   */
  readonly growing?: boolean;
}

/**
 * A file of exported dead letters. The dead letters are written to a new file, which is renamed once it is complete. So
 * nothing is written into a file that exists, and nobody sees half of an export.
 */
export class ExportFile {
  readonly path: string;
  readonly #destination: Destination;
  readonly #writtenTo: string;
  readonly #handle: FileHandle;
  readonly #toText: (deadLetters: readonly DeadLetter[]) => string;
  readonly #force: boolean;

  private constructor(
    path: string,
    opened: { readonly destination: Destination; readonly writtenTo: string; readonly handle: FileHandle },
    { format, force = false }: ExportFileOptions,
  ) {
    this.path = path;
    this.#destination = opened.destination;
    this.#writtenTo = opened.writtenTo;
    this.#handle = opened.handle;
    this.#toText = exportWriter(format);
    this.#force = force;
  }

  /**
   * Opening a FIFO waits until somebody reads from it.
   *
   * @throws {ConfigurationError} Something is at the path, and `force` is not set or does not help, or the file cannot be
   *   written.
   */
  static async create(path: string, options: ExportFileOptions): Promise<ExportFile> {
    const destination = await destinationOf(path, options);
    const { file, kind } = destination;
    const writtenTo = kind === "draft" ? `${file}.${randomBytes(4).toString("hex")}.part` : file;
    try {
      // `wx` creates a new file. It follows no link, and fails if anything is at the path.
      // Items may be confidential, so only the user can read the file.
      const handle = kind === "stream" ? await open(file, "w") : await open(writtenTo, "wx", 0o600);
      return new ExportFile(path, { destination, writtenTo, handle }, options);
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
      if (this.#destination.kind !== "stream") await this.#handle.datasync();
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
    if (this.#destination.kind !== "draft") return;
    const { file } = this.#destination;
    try {
      await refuseReplacing(file, this.#force);
      await rename(this.#writtenTo, file);
    } catch (error) {
      await rm(this.#writtenTo, { force: true });
      throw error;
    }
  }

  /** Deletes the file. */
  async discard(): Promise<void> {
    await this.#handle.close();
    if (this.#destination.kind !== "stream") await rm(this.#writtenTo, { force: true });
  }
}

const cannotBeWritten = (path: string, cause: unknown): ConfigurationError =>
  new ConfigurationError(`${path} cannot be written: ${toError(cause).message}. Give a path that you can write`, {
    cause,
  });

/** @throws {ConfigurationError} What is at the path must not be written to. */
async function destinationOf(
  path: string,
  { force = false, growing = false }: ExportFileOptions,
): Promise<Destination> {
  const file = force ? await afterLinks(path) : path;
  const found = await statsOf(file);
  if (force && (found?.isFIFO() || found?.isCharacterDevice() || found?.isBlockDevice()))
    return { file, kind: "stream" };
  await refuseReplacing(file, force);
  return { file, kind: growing ? "growing" : "draft" };
}

/** The path that a link leads to, also if nothing is there. */
async function afterLinks(path: string): Promise<string> {
  let at = resolve(path);
  for (let links = 0; (await statsOf(at))?.isSymbolicLink(); links++) {
    if (links === MOST_LINKS)
      throw new ConfigurationError(`${path} leads through too many symbolic links: give another path`);
    at = resolve(dirname(at), await readlink(at));
  }
  return at;
}

/** As many as Linux follows. https://man7.org/linux/man-pages/man7/path_resolution.7.html */
const MOST_LINKS = 40;

/** `lstat` follows no link, and opens nothing: opening a FIFO would wait for somebody who reads. */
const statsOf = (path: string): Promise<Stats | undefined> => lstat(path).catch(() => undefined);

/** @throws {ConfigurationError} Something is at the path, and it is not a file, or `force` is not set. */
async function refuseReplacing(path: string, force: boolean): Promise<void> {
  const found = await statsOf(path);
  if (found === undefined) return;
  if (found.isDirectory() || found.isSocket() || (force && !found.isFile())) {
    throw new ConfigurationError(
      `${path} is ${kindOf(found)}, and an export replaces only files: give the path of a file. Without a path, the dead ` +
        "letters are printed on the standard output",
    );
  }
  if (force) return;
  throw new ConfigurationError(
    found.isFile()
      ? `${path} exists already: give another name, or replace it with --force`
      : `${path} is ${kindOf(found)}: give another path, or write to it with --force`,
  );
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
