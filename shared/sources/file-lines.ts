import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import type { UnsafeNumbers } from "../base/exact-json.ts";
import { ConfigurationError, SourceError, toError } from "../errors.ts";
import { integerOption, rejectUnknownKeys, show } from "../options.ts";
import { csv, type FileFormat, jsonl } from "./file-formats.ts";
import { digestAround, readAt } from "./file-identity.ts";
import { type FileRecord, firstLine, type Place, RecordReader } from "./file-records.ts";
import { pageSizeOption } from "./page-size.ts";
import type { Cursor, Source } from "./source.ts";
import { UnreadableItem } from "./unreadable-item.ts";
import { unsafeNumbersOption } from "./unsafe-numbers.ts";

/**
 * A path relative to the working directory, a `file:` URL, or a function that gives one when the reading starts. Only a
 * relative path below the working directory can be deployed.
 */
export type FilePath = string | URL | (() => string | URL);

interface CommonOptions {
  /** Items of a page: 1 to 200. Default 200. A page also ends at 4 MiB. */
  readonly pageSize?: number;
  /**
   * The longest line (of CSV: row) that is read, in bytes: 1 to 16 MiB. Default 2 MiB, somewhat more than a message
   * takes. A longer one becomes a dead letter, and is not held in memory.
   */
  readonly maxItemBytes?: number;
}

export interface JsonLinesOptions extends CommonOptions {
  /** One JSON value per line. */
  readonly format: "jsonl";
  /**
   * What becomes of a number that JavaScript would alter, such as the id `12345678901234567`. Default `"refuse"`: its line
   * becomes a dead letter, `invalid item`. `"text"` keeps it as a string, `"bigint"` an integer as a bigint.
   */
  readonly unsafeNumbers?: UnsafeNumbers;
}

export interface CsvOptions extends CommonOptions {
  /** Rows as objects of strings. As in RFC 4180, a quoted field may hold newlines, and a quote if doubled. */
  readonly format: "csv";
  /** One ASCII character between the fields. Default `","`. */
  readonly delimiter?: string;
  /** One ASCII character around a field, or `false` if nothing is quoted. Default `'"'`. */
  readonly quote?: string | false;
  /** The columns' names, of a file without a header. Default: the first line names them. */
  readonly columns?: readonly string[];
}

export type FileLinesOptions = JsonLinesOptions | CsvOptions;

const PAGE_BYTES = 4 * 1_024 * 1_024;

/**
 * A source over a file in UTF-8 of one item per line: JSON Lines, or CSV. Memory stays flat at any size of the file,
 * and a run that goes on later starts at the byte where it stopped.
 *
 * Empty lines are skipped. A line that cannot be read (broken JSON, a row with a field too many, a stray quote, not
 * UTF-8, too long) does not end the run: it becomes a dead letter with the reason and the place. In CSV a malformed row
 * costs its first line, and reading goes on with the next one.
 *
 * The file must stay as it is while a run reads it.
 *
 * A deployed workflow takes the file along: `cdk synth` packs it with the producer if its path is relative and below the
 * working directory, and fails if it is not, if there is no such file, or if the files of a workflow have more than 100
 * MB. A deployment with another content of the file fails the runs that are reading it.
 *
 * @throws {ConfigurationError} An option is unknown or out of its range.
 * @throws {SourceError} When it is read: the file is missing, is no text file in UTF-8, has no usable header, or is not
 *   the one that the cursor was made from.
 *
 * @example
 * ```ts
 * source: fileLines("invoices.jsonl", { format: "jsonl" }),
 * source: fileLines(() => process.env.CITIES ?? "cities.csv", { format: "csv", delimiter: ";" }),
 * ```
 */
export function fileLines(path: FilePath, options: CsvOptions): Source<Record<string, string>>;
export function fileLines<Item = unknown>(path: FilePath, options: JsonLinesOptions): Source<Item>;
export function fileLines(path: FilePath, options: FileLinesOptions): Source {
  const format = formatOption(options);
  const pageSize = pageSizeOption(options.pageSize);
  const limit = integerOption("maxItemBytes", options.maxItemBytes ?? 2 * 1_024 * 1_024, {
    minimum: 1,
    maximum: 16 * 1_024 * 1_024,
    mend: "a message holds 1 MiB at the most, so more than the default 2097152 seldom helps",
  });
  if (typeof path !== "function") toPath(path);

  return {
    files: () => [toPath(typeof path === "function" ? path() : path)],
    async *pages(cursor, { signal }) {
      const name = toPath(typeof path === "function" ? path() : path);
      const file = await openFile(name);
      try {
        const { size, start } = await inspect(file, name);
        const readFrom = (from: Place) => new RecordReader(file, { place: from, size, limit, quote: format.quote });
        const first = readFrom(start);
        const decode = await format.open(first, name);
        const reader = cursor === undefined ? first : readFrom(await placeOf(cursor, file, size, name));
        const entries = readEntries(reader, { format, decode, name, limit });
        let items: unknown[] = [];
        let bytes = 0;
        for await (const entry of entries) {
          signal.throwIfAborted();
          if (items.length === pageSize || bytes >= PAGE_BYTES) {
            yield { items, next: await cursorAt(entry.place, file, size) };
            items = [];
            bytes = 0;
          }
          items.push(entry.item);
          bytes += entry.bytes;
        }
        const { size: sizeNow } = await file.stat();
        if (sizeNow !== size) throw changed(name, `it had ${size} bytes and has ${sizeNow} now`);
        yield { items };
      } finally {
        await file.close();
      }
    },
  };
}

const COMMON_KEYS = ["format", "pageSize", "maxItemBytes"];

function formatOption(options: FileLinesOptions): FileFormat {
  const { format } = options;
  if (format === "jsonl") {
    rejectUnknownKeys(options, [...COMMON_KEYS, "unsafeNumbers"], "fileLines(..., JSONL)");
    return jsonl(unsafeNumbersOption(options.unsafeNumbers));
  }
  if (format !== "csv") {
    throw new ConfigurationError(`format must be "jsonl" or "csv", but is ${show(format)}: say which the file holds`);
  }
  rejectUnknownKeys(options, [...COMMON_KEYS, "delimiter", "quote", "columns"], "fileLines(..., CSV)");
  const { delimiter = ",", quote = '"', columns } = options;
  characterOption("delimiter", delimiter, 'such as "," or ";" or "\t"');
  if (quote !== false) characterOption("quote", quote, "or false if nothing is quoted");
  if (delimiter === quote) {
    throw new ConfigurationError(`delimiter and quote must differ, but both are ${show(quote)}: change one`);
  }
  if (columns !== undefined) columnsOption(columns);
  return csv({ delimiter, quote: quote === false ? "" : quote, columns });
}

function characterOption(option: string, value: unknown, mend: string): void {
  if (typeof value === "string" && /^[\t -~]$/.test(value)) return;
  throw new ConfigurationError(`${option} must be one ASCII character, but is ${show(value)}: give one, ${mend}`);
}

function columnsOption(columns: readonly string[]): void {
  const names = Array.isArray(columns) && columns.length > 0 && columns.every((name) => typeof name === "string");
  if (names && new Set(columns).size === columns.length) return;
  throw new ConfigurationError(
    `columns must be a list of names, none twice, but is ${show(columns)}: leave it out if the first line names them`,
  );
}

/** As given, for messages; `open` resolves it against the working directory. */
function toPath(path: unknown): string {
  if (path instanceof URL && path.protocol === "file:") return fileURLToPath(path);
  if (typeof path === "string" && path !== "") return path;
  throw new ConfigurationError(
    `the path of fileLines(...) must be a path or a file: URL, but is ${show(path)}: ` +
      'give one, such as "data/cities.csv"',
  );
}

async function openFile(name: string): Promise<FileHandle> {
  try {
    return await open(name);
  } catch (thrown) {
    const { code, message } = toError(thrown) as NodeJS.ErrnoException;
    const hint =
      code === "ENOENT"
        ? ". Correct the path: a relative one begins at the working directory, and a URL made of import.meta.url at the bundle"
        : "";
    throw new SourceError(`cannot open ${name} (${resolve(name)}): ${message}${hint}`, { cause: thrown });
  }
}

/** The file's size, and where its first line starts. */
async function inspect(file: FileHandle, name: string): Promise<{ readonly size: number; readonly start: Place }> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new SourceError(`${name} is not a file: give the path of one`);
  const head = (await readAt(file, 0, 3)).toString("hex");
  if (head.startsWith("fffe") || head.startsWith("feff")) {
    throw new SourceError(`${name} is in UTF-16: convert it, such as with iconv -f UTF-16 -t UTF-8`);
  }
  if (head.startsWith("1f8b")) throw new SourceError(`${name} is compressed: unpack it, such as with gunzip`);
  return { size: stats.size, start: { byte: head === "efbbbf" ? 3 : 0, line: 1 } };
}

interface Entry {
  readonly place: Place;
  /** What it takes in the file. */
  readonly bytes: number;
  readonly item: unknown;
}

interface Reading {
  readonly format: FileFormat;
  readonly decode: (record: FileRecord) => unknown;
  readonly name: string;
  readonly limit: number;
}

async function* readEntries(
  reader: RecordReader,
  { format, decode, name, limit }: Reading,
): AsyncGenerator<Entry, void, void> {
  for (let record = await reader.next(); record !== undefined; record = await reader.next()) {
    if (format.isBlank(record)) continue;
    let item: unknown;
    try {
      if (record.tooLong) throw new Error(tooLong(limit, format));
      item = decode(record);
    } catch (thrown) {
      reader.skipLine(record);
      const { line, isAll } = firstLine(record);
      item = new UnreadableItem({
        raw: line,
        error: `${toError(thrown).message}${isAll ? "" : " (a quote is opened in this line and not closed)"}`,
        at: `${name}:${record.line} (byte ${record.byte})`,
      });
    }
    yield { place: { byte: record.byte, line: record.line }, bytes: record.bytes.length, item };
  }
}

function tooLong(limit: number, format: FileFormat): string {
  const quoted = format.quote === undefined ? "" : ", or a quote in it is not closed";
  return `longer than ${limit} bytes (maxItemBytes)${quoted}`;
}

const cursorSchema = z.strictObject({
  /** Where the next item starts. */
  byte: z.int().nonnegative(),
  line: z.int().positive(),
  /** Of the file. */
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
      `the cursor ${show(cursor)} is not one of fileLines(...): was the workflow's source replaced? Start a new run`,
    );
  }
  const { byte, line, size: sizeThen, digest } = parsed.data;
  if (size !== sizeThen) throw changed(name, `it had ${sizeThen} bytes and has ${size} now`);
  if ((await digestAround(file, byte)) !== digest) throw changed(name, "its content is another one");
  return { byte, line };
}

function changed(name: string, how: string): SourceError {
  return new SourceError(
    `${name} changed while a run was reading it (${how}): put the file back as it was, or start a new run`,
  );
}
