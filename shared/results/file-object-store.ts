import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, open, readdir, readFile, rename, rmdir, stat, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ObjectMissingError, type ObjectStore, ObjectStoreError, type StoredObject } from "../aws/object-store.ts";

/** Only the user may read results: they can hold personal data. */
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;

const SEGMENT = /^[A-Za-z0-9_%-][A-Za-z0-9_.%-]*$/;
const OBJECTS_PER_PAGE = 1_000;

/**
 * Keeps objects as files below a directory. A file is written under another name and then renamed, so nobody reads a part
 * of it. Like the queues and tables of the embedded engine, the files survive the end of any process, and are not synced to
 * the disk one by one.
 *
 * @example new FileObjectStore("file:///home/me/.sluice/cities/results")
 */
export class FileObjectStore implements ObjectStore {
  readonly url: string;
  readonly #root: string;
  /** Directories that this process has made or found. */
  readonly #directories = new Set<string>();

  constructor(url: string) {
    this.#root = fileURLToPath(url);
    this.url = pathToFileURL(this.#root).href.replace(/\/$/, "");
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    await this.#during("write", key, () =>
      this.#inDirectory(key, async (path) => {
        const draft = draftOf(path);
        await this.#cleaning(draft, async () => {
          await writeFile(draft, body, { mode: PRIVATE_FILE, flag: "wx" });
          await rename(draft, path);
        });
      }),
    );
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<boolean> {
    return await this.#during("write", key, () =>
      this.#inDirectory(key, async (path) => {
        const draft = draftOf(path);
        return await this.#cleaning(draft, async () => {
          await writeFile(draft, body, { mode: PRIVATE_FILE, flag: "wx" });
          try {
            await link(draft, path);
            return true;
          } catch (error) {
            if (codeOf(error) === "EEXIST") return false;
            throw error;
          } finally {
            await unlink(draft);
          }
        });
      }),
    );
  }

  async putStream(key: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let fromCaller: { readonly thrown: unknown } | undefined;
    const noted = async function* () {
      try {
        yield* chunks;
      } catch (thrown) {
        fromCaller = { thrown };
        throw thrown;
      }
    };
    try {
      await this.#during("write", key, () =>
        this.#inDirectory(key, async (path) => {
          const draft = draftOf(path);
          const file = await open(draft, "wx", PRIVATE_FILE);
          await this.#cleaning(draft, async () => {
            try {
              for await (const chunk of noted()) await file.writeFile(chunk);
            } finally {
              await file.close();
            }
            await rename(draft, path);
          });
        }),
      );
    } catch (error) {
      throw fromCaller === undefined ? error : fromCaller.thrown;
    }
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return await this.#during("read", key, () => orUndefined(readFile(this.#pathOf(key))));
  }

  async getRange(key: string, start: number, end: number): Promise<Uint8Array | undefined> {
    return await this.#during("read", key, async () => {
      const file = await orUndefined(open(this.#pathOf(key), "r"));
      if (file === undefined) return undefined;
      try {
        const buffer = Buffer.allocUnsafe(Math.max(0, end - start));
        let filled = 0;
        while (filled < buffer.length) {
          const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, start + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return buffer.subarray(0, filled);
      } finally {
        await file.close();
      }
    });
  }

  async *stream(key: string): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* createReadStream(this.#pathOf(key), { highWaterMark: 1 << 20 });
    } catch (error) {
      if (codeOf(error) === "ENOENT") throw new ObjectMissingError(this.url, key);
      throw new ObjectStoreError(`read ${this.url}/${key}`, error);
    }
  }

  async *list(prefix: string): AsyncGenerator<readonly StoredObject[], void, undefined> {
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    let page: StoredObject[] = [];
    for await (const object of this.#walk(folder, prefix)) {
      page.push(object);
      if (page.length < OBJECTS_PER_PAGE) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  async delete(keys: readonly string[]): Promise<void> {
    const folders = new Set<string>();
    for (const key of keys) {
      await this.#during("delete", key, () => orUndefined(unlink(this.#pathOf(key))));
      folders.add(dirname(key));
    }
    for (const folder of folders) await this.#removeEmpty(folder);
  }

  /** Yields the objects of a folder and of the folders below it, in the order of S3: by the bytes of the whole key. */
  async *#walk(folder: string, prefix: string): AsyncGenerator<StoredObject, void, undefined> {
    const path = join(this.#root, folder);
    const entries = await this.#during(
      "list",
      folder,
      async () => await orUndefined(readdir(path, { withFileTypes: true })),
    );
    const names = (entries ?? [])
      // Files that are being written, or were when their process ended, begin with a dot.
      .filter(({ name }) => !name.startsWith("."))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .filter((name) => (folder + name).startsWith(prefix))
      .sort((a, b) => (a < b ? -1 : 1));
    for (const name of names) {
      if (name.endsWith("/")) {
        yield* this.#walk(folder + name, prefix);
        continue;
      }
      const found = await this.#during("list", folder, () => orUndefined(stat(join(path, name))));
      if (found !== undefined) yield { key: folder + name, size: found.size };
    }
  }

  /** Removes a folder if it is empty, and then the folders above it. */
  async #removeEmpty(folder: string): Promise<void> {
    for (let empty = folder; empty !== "." && empty !== ""; empty = dirname(empty)) {
      const path = join(this.#root, empty);
      this.#directories.delete(path);
      try {
        await rmdir(path);
      } catch {
        return;
      }
    }
  }

  /** Calls `write` with the file's path, after its directory was made. */
  async #inDirectory<Result>(key: string, write: (path: string) => Promise<Result>): Promise<Result> {
    const path = this.#pathOf(key);
    const directory = dirname(path);
    if (this.#directories.has(directory)) {
      try {
        return await write(path);
      } catch (error) {
        // Another process has deleted the last object of the directory.
        if (codeOf(error) !== "ENOENT") throw error;
      }
    }
    await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
    this.#directories.add(directory);
    return await write(path);
  }

  /** Removes a file that could not be finished. */
  async #cleaning<Result>(draft: string, write: () => Promise<Result>): Promise<Result> {
    try {
      return await write();
    } catch (error) {
      await unlink(draft).catch(() => {});
      throw error;
    }
  }

  async #during<Result>(action: string, key: string, act: () => Promise<Result>): Promise<Result> {
    try {
      return await act();
    } catch (error) {
      throw new ObjectStoreError(`${action} ${this.url}/${key}`, error);
    }
  }

  #pathOf(key: string): string {
    const segments = key.split("/");
    // A key comes from this code. This check keeps a mistake from leaving the directory.
    if (!segments.every((segment) => SEGMENT.test(segment))) throw new Error(`${key} is not a key of an object`);
    return join(this.#root, ...segments);
  }
}

const draftOf = (path: string): string =>
  join(dirname(path), `.${process.pid}-${randomBytes(6).toString("hex")}.draft`);

const DRAFT = /^\.(\d+)-[0-9a-f]+\.draft$/;

/** The process that writes a draft, a file of an object that is not complete. `undefined`: the file is no draft. */
export function writerOfDraft(name: string): number | undefined {
  const pid = DRAFT.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

async function orUndefined<Result>(promise: Promise<Result>): Promise<Result | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}
