import { type FileHandle, open, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { ConfigurationError, SourceError, toError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import { digestAround } from "./file-identity.ts";
import { layoutOf } from "./file-layout.ts";
import { type Place, RecordReader } from "./file-records.ts";
import { isTable, PAGE_BYTES, readEntries } from "./line-entries.ts";
import { type CsvOptions, type JsonLinesOptions, type LineOptions, lineSettings } from "./line-options.ts";
import type { Cursor, Environment, Source } from "./source.ts";

/**
 * A path relative to the working directory, a `file:` URL, or a function that returns one of them. Only a relative path
 * below the working directory can be deployed.
 *
 * Sluice calls the function when it starts to read, and `cdk synth` calls it to find the file. Both pass the
 * environment variables of the deployed function. Read the variables from this parameter and not from `process.env`,
 * which at synth has the variables of the shell.
 *
 * @example `"data/cities.csv"`, `(environment) => environment.CITIES ?? "data/cities.csv"`
 */
export type FilePath = string | URL | ((environment: Environment) => string | URL);

/** Options of `fileLines`. */
export type FileLinesOptions = LineOptions;

/**
 * Makes a source from a file with one item in each line: JSON Lines or CSV. The source needs the same memory for a file
 * of any size. A run that continues later starts at the byte where it stopped. Lines end in LF, CR LF or CR CR LF, or
 * all of them in CR alone.
 *
 * **Lines without an item.** Empty lines are skipped. A line that cannot be read does not end the run. It becomes a
 * dead letter with the reason and the place: broken JSON, a row with a field too many, a stray quote, invalid UTF-8, a
 * line that is too long. If a malformed CSV row spans several lines, only its first line becomes a dead letter, and
 * reading continues with the next line.
 *
 * **Warnings.** The run's summary warns if a file is not empty and yields no item, for example if it has a header and
 * no rows. It also warns if the file is a JSON document with one list, because the whole list would be one item in JSON
 * Lines.
 *
 * **Changes.** The file must stay the same while a run reads it.
 *
 * **Deployment.** `cdk synth` packs the file with the producer. Its path must be relative and below the working
 * directory. The synth fails if it is not, if the file does not exist, or if the files of a workflow exceed 100 MB.
 * Deploying a changed file fails the runs that are reading it.
 *
 * @throws {ConfigurationError} An option is unknown or out of its range.
 * @throws {SourceError} While the source is read: the file is missing, has another encoding, has no usable header, or
 *   is not the file that the cursor belongs to.
 *
 * @example
 * ```ts
 * source: fileLines("invoices.jsonl", { format: "jsonl" }),
 * source: fileLines(({ CITIES }) => CITIES ?? "cities.csv", { format: "csv", delimiter: ";" }),
 * source: fileLines("export.csv", { format: "csv", encoding: "windows-1252", trim: true, header: { "E-Mail": "email" } }),
 * ```
 */
export function fileLines(path: FilePath, options: CsvOptions): Source<Record<string, string>>;
/** Makes a source from a JSON Lines file. See the overload for CSV, which describes both formats. */
export function fileLines<Item = unknown>(path: FilePath, options: JsonLinesOptions): Source<Item>;
export function fileLines(path: FilePath, options: FileLinesOptions): Source {
  const { format, encoding, pageSize, limit, fieldsFrom } = lineSettings(options, "fileLines");
  if (typeof path !== "function") toPath(path);

  return {
    ...fieldsFrom,
    files: (environment) => [toPath(typeof path === "function" ? path(environment) : path)],
    async *pages(cursor, { signal, warn }) {
      const name = toPath(typeof path === "function" ? path(process.env) : path);
      const file = await openFile(name);
      try {
        const layout = await layoutOf(file, name, { encoding, ...format });
        const { size, lineEnd } = layout;
        const quotes = format.quotes(layout);
        const readFrom = (place: Place) => new RecordReader(file, { place, size, limit, encoding, lineEnd, quotes });
        const first = readFrom(layout.start);
        const { decode, withoutItems } = await format.open(first, name, layout);
        const reader = cursor === undefined ? first : readFrom(await placeOf(cursor, file, size, name));
        const entries = readEntries(reader, { format, decode, name, limit, encoding });
        let items: unknown[] = [];
        let bytes = 0;
        let count = 0;
        for await (const entry of entries) {
          signal.throwIfAborted();
          if (items.length === pageSize || bytes >= PAGE_BYTES) {
            yield { items, next: await cursorAt(entry.place, file, size) };
            items = [];
            bytes = 0;
          }
          items.push(entry.item);
          count += 1;
          bytes += entry.bytes;
        }
        const { size: sizeNow } = await file.stat();
        if (sizeNow !== size) throw changed(name, `it had ${size} bytes and now has ${sizeNow}`);
        if (cursor === undefined && size > 0 && count === 0) warn(`${name} ${withoutItems}`);
        const [only] = items;
        if (cursor === undefined && count === 1 && isTable(only, options)) {
          warn(
            `${name} has one line, a list of ${only.length}, which counts as one item: JSON Lines has one item in each line`,
          );
        }
        yield { items };
      } finally {
        await file.close();
      }
    },
  };
}

/** Returns the path as the user wrote it, for messages. `open` resolves it against the working directory. */
function toPath(path: unknown): string {
  if (path instanceof URL && path.protocol === "file:") return fileURLToPath(path);
  if (typeof path === "string" && path !== "") return path;
  throw new ConfigurationError(
    `the path of fileLines(...) must be a path or a file: URL, but is ${show(path)}: ` +
      'write a path, such as "data/cities.csv"',
  );
}

async function openFile(name: string): Promise<FileHandle> {
  try {
    // Only a regular file has bytes to which a run can return. Opening a pipe would also block until a process writes
    // to it.
    const stats = await stat(name);
    if (stats.isFile()) return await open(name);
  } catch (thrown) {
    const { code, message } = toError(thrown) as NodeJS.ErrnoException;
    const hint =
      code === "ENOENT"
        ? ". Correct the path: a relative path starts in the working directory, and a URL made from import.meta.url " +
          "starts in the directory of the bundle"
        : "";
    throw new SourceError(`cannot open ${name} (${resolve(name)}): ${message}${hint}`, { cause: thrown });
  }
  throw new SourceError(`${name} is not a regular file: write the path of a file`, { permanent: true });
}

const cursorSchema = z.strictObject({
  /** Where the next item starts. */
  byte: z.int().nonnegative(),
  line: z.int().positive(),
  /** The size of the file, in bytes. */
  size: z.int().nonnegative(),
  digest: z.string(),
});

async function cursorAt({ byte, line }: Place, file: FileHandle, size: number): Promise<z.infer<typeof cursorSchema>> {
  return { byte, line, size, digest: await digestAround(file, byte) };
}

async function placeOf(cursor: Cursor, file: FileHandle, size: number, name: string): Promise<Place> {
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) {
    throw new SourceError(
      `the cursor ${show(cursor)} does not come from fileLines(...): the workflow's source was probably replaced. Start a ` +
        "new run",
    );
  }
  const { byte, line, size: sizeThen, digest } = parsed.data;
  if (size !== sizeThen) throw changed(name, `it had ${sizeThen} bytes and now has ${size}`);
  if ((await digestAround(file, byte)) !== digest) throw changed(name, "its content is different");
  return { byte, line };
}

function changed(name: string, how: string): SourceError {
  return new SourceError(`${name} changed while a run was reading it (${how}): restore the file, or start a new run`);
}
