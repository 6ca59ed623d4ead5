import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { type FileHandle, lstat, open, readlink, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ConfigurationError, toError } from "../shared/base/errors.ts";

/** What a text is written to. */
interface Destination {
  /** The file that the text becomes: the path, or the file that a link at the path leads to. */
  readonly file: string;
  /**
   * - `draft`: a new file beside `file`, which is renamed once it is complete.
   * - `growing`: a new file that has its final name from the start.
   * - `stream`: a device or a FIFO. It gets the text, and stays what it is.
   */
  readonly kind: "draft" | "growing" | "stream";
}

export interface NewFileOptions {
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
  /** What to do instead of naming a path, for the error message. */
  readonly instead: string;
}

/**
 * A file that a command writes. The text is written to a new file, which is renamed once it is complete. So nothing is
 * written into a file that exists, and nobody sees half of an export.
 */
export class NewFile {
  readonly path: string;
  readonly #destination: Destination;
  readonly #writtenTo: string;
  readonly #handle: FileHandle;
  readonly #options: NewFileOptions;

  private constructor(
    path: string,
    opened: { readonly destination: Destination; readonly writtenTo: string; readonly handle: FileHandle },
    options: NewFileOptions,
  ) {
    this.path = path;
    this.#destination = opened.destination;
    this.#writtenTo = opened.writtenTo;
    this.#handle = opened.handle;
    this.#options = options;
  }

  /**
   * Opening a FIFO waits until somebody reads from it.
   *
   * @throws {ConfigurationError} Something is at the path, and `force` is not set or does not help, or the file cannot be
   *   written.
   */
  static async create(path: string, options: NewFileOptions): Promise<NewFile> {
    const destination = await destinationOf(path, options);
    const { file, kind } = destination;
    const writtenTo = kind === "draft" ? `${file}.${randomBytes(4).toString("hex")}.part` : file;
    try {
      // `wx` creates a new file. It follows no link, and fails if anything is at the path.
      // Items may be confidential, so only the user can read the file.
      const handle = kind === "stream" ? await open(file, "w") : await open(writtenTo, "wx", 0o600);
      return new NewFile(path, { destination, writtenTo, handle }, options);
    } catch (cause) {
      throw cannotBeWritten(path, cause);
    }
  }

  /**
   * Writes at the end of the file.
   *
   * @throws {ConfigurationError} It cannot be written, for example because the disk is full.
   */
  async write(content: string | Uint8Array): Promise<void> {
    try {
      await this.#handle.writeFile(content);
    } catch (cause) {
      throw cannotBeWritten(this.path, cause);
    }
  }

  /**
   * Resolves once everything that was written is on disk.
   *
   * @throws {ConfigurationError} The disk failed.
   */
  async sync(): Promise<void> {
    if (this.#destination.kind === "stream") return;
    try {
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
    if (this.#destination.kind !== "draft") return;
    const { file } = this.#destination;
    try {
      await refuseReplacing(file, this.#options);
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
async function destinationOf(path: string, options: NewFileOptions): Promise<Destination> {
  const { force = false, growing = false } = options;
  const file = force ? await afterLinks(path) : path;
  const found = await statsOf(file);
  if (force && (found?.isFIFO() || found?.isCharacterDevice() || found?.isBlockDevice()))
    return { file, kind: "stream" };
  await refuseReplacing(file, options);
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
async function refuseReplacing(path: string, { force = false, instead }: NewFileOptions): Promise<void> {
  const found = await statsOf(path);
  if (found === undefined) return;
  if (found.isDirectory() || found.isSocket() || (force && !found.isFile())) {
    throw new ConfigurationError(
      `${path} is ${kindOf(found)}, and an export replaces only files: give the path of a file. ${instead}`,
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
