import { type FileHandle, open, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { ConfigurationError, SourceError, toError } from "../base/errors.ts";
import type { UnsafeNumbers } from "../base/exact-json.ts";
import { booleanOption, integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import { csv, type HeaderNames } from "./csv.ts";
import { type FileFormat, jsonl } from "./file-formats.ts";
import { digestAround } from "./file-identity.ts";
import { layoutOf } from "./file-layout.ts";
import { type FileRecord, type Place, RecordReader } from "./file-records.ts";
import { pageSizeOption } from "./page-size.ts";
import type { Cursor, Source } from "./source.ts";
import { encodingOption, type TextEncoding } from "./text-encoding.ts";
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
  /**
   * The file's encoding, by its name in the Encoding Standard: `"utf-16le"`, `"windows-1252"`, `"shift_jis"`. `"latin1"` is
   * `"windows-1252"`. Default `"utf-8"`. A byte order mark is left out of the text.
   */
  readonly encoding?: string;
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
  /** One ASCII character between the fields. Default: what a first line such as `sep=;` says, else `","`. */
  readonly delimiter?: string;
  /** One ASCII character around a field, or `false` if nothing is quoted. Default `'"'`. */
  readonly quote?: string | false;
  /** The columns' names, of a file without a header. Default: the first line names them. */
  readonly columns?: readonly string[];
  /**
   * Other names for columns of the header, by their names in the file: `{ "E-Mail": "email" }`. A column that the file does
   * not have is an error. A function gets each name and its index, and returns the new one. Default: the names stay.
   */
  readonly header?: HeaderNames;
  /**
   * Whether blanks around names and around unquoted values are taken off. Default: values keep them, and a name with
   * blanks around it is an error, as it is seldom meant.
   */
  readonly trim?: boolean;
  /**
   * Whether a quote may be part of a text, as in `5" pipe`. Then only a quote at a field's start opens a quoted field, and
   * only one at its end closes it. Default false: such a row becomes a dead letter.
   */
  readonly relaxQuotes?: boolean;
}

export type FileLinesOptions = JsonLinesOptions | CsvOptions;

const PAGE_BYTES = 4 * 1_024 * 1_024;

/**
 * A source over a file of one item per line: JSON Lines, or CSV. Memory stays flat at any size of the file, and a run that
 * goes on later starts at the byte where it stopped. Lines end in LF, CR LF or CR CR LF, or all of them in CR alone.
 *
 * Empty lines are skipped. A line that cannot be read (broken JSON, a row with a field too many, a stray quote, not
 * UTF-8, too long) does not end the run: it becomes a dead letter with the reason and the place. In CSV a malformed row
 * costs its first line, and reading goes on with the next one.
 *
 * A file that holds something and yields no item, such as a header without rows, is a warning in the run's summary. So is
 * a JSON document that is one list: JSON Lines takes the list for one item.
 *
 * The file must stay as it is while a run reads it.
 *
 * A deployed workflow takes the file along: `cdk synth` packs it with the producer if its path is relative and below the
 * working directory, and fails if it is not, if there is no such file, or if the files of a workflow have more than 100
 * MB. A deployment with another content of the file fails the runs that are reading it.
 *
 * @throws {ConfigurationError} An option is unknown or out of its range.
 * @throws {SourceError} When it is read: the file is missing, has another encoding, has no usable header, or is not
 *   the one that the cursor was made from.
 *
 * @example
 * ```ts
 * source: fileLines("invoices.jsonl", { format: "jsonl" }),
 * source: fileLines(() => process.env.CITIES ?? "cities.csv", { format: "csv", delimiter: ";" }),
 * source: fileLines("export.csv", { format: "csv", encoding: "windows-1252", trim: true, header: { "E-Mail": "email" } }),
 * ```
 */
export function fileLines(path: FilePath, options: CsvOptions): Source<Record<string, string>>;
export function fileLines<Item = unknown>(path: FilePath, options: JsonLinesOptions): Source<Item>;
export function fileLines(path: FilePath, options: FileLinesOptions): Source {
  const format = formatOption(options);
  const encoding = encodingOption(options.encoding);
  const pageSize = pageSizeOption(options.pageSize);
  const limit = integerOption("maxItemBytes", options.maxItemBytes ?? 2 * 1_024 * 1_024, {
    minimum: 1,
    maximum: 16 * 1_024 * 1_024,
    mend: "a message holds 1 MiB at the most, so more than the default 2097152 seldom helps",
  });
  if (typeof path !== "function") toPath(path);

  return {
    ...(options.format === "csv" && options.columns === undefined && { fieldsFrom: "header" as const }),
    files: () => [toPath(typeof path === "function" ? path() : path)],
    async *pages(cursor, { signal, warn }) {
      const name = toPath(typeof path === "function" ? path() : path);
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
        if (sizeNow !== size) throw changed(name, `it had ${size} bytes and has ${sizeNow} now`);
        if (cursor === undefined && size > 0 && count === 0) warn(`${name} ${withoutItems}`);
        const [only] = items;
        if (cursor === undefined && count === 1 && isTable(only, options)) {
          warn(`${name} has one line, a list of ${only.length}, which is one item: JSON Lines has one item per line`);
        }
        yield { items };
      } finally {
        await file.close();
      }
    },
  };
}

/** Whether the only item of a file is a list of objects: most likely a JSON document, which was taken for JSON Lines. */
function isTable(item: unknown, { format }: FileLinesOptions): item is readonly unknown[] {
  if (format !== "jsonl" || !Array.isArray(item) || item.length < 2) return false;
  return item.every((each) => typeof each === "object" && each !== null && !Array.isArray(each));
}

const COMMON_KEYS = ["format", "pageSize", "maxItemBytes", "encoding"];
const CSV_KEYS = [...COMMON_KEYS, "delimiter", "quote", "columns", "header", "trim", "relaxQuotes"];

function formatOption(options: FileLinesOptions): FileFormat {
  const { format } = options;
  if (format === "jsonl") {
    rejectUnknownKeys(options, [...COMMON_KEYS, "unsafeNumbers"], "fileLines(..., JSONL)");
    return jsonl(unsafeNumbersOption(options.unsafeNumbers));
  }
  if (format !== "csv") {
    throw new ConfigurationError(`format must be "jsonl" or "csv", but is ${show(format)}: say which the file holds`);
  }
  rejectUnknownKeys(options, CSV_KEYS, "fileLines(..., CSV)");
  const { delimiter, quote = '"', columns, header, trim, relaxQuotes = false } = options;
  if (delimiter !== undefined) characterOption("delimiter", delimiter, 'such as "," or ";" or "\t"');
  if (quote !== false) characterOption("quote", quote, "or false if nothing is quoted");
  if ((delimiter ?? ",") === quote) {
    throw new ConfigurationError(`delimiter and quote must differ, but both are ${show(quote)}: change one`);
  }
  if (header !== undefined) headerOption(header, columns);
  if (trim !== undefined) booleanOption("trim", trim);
  booleanOption("relaxQuotes", relaxQuotes);
  if (columns !== undefined) columnsOption(columns);
  return csv({ delimiter, quote: quote === false ? "" : quote, columns, header, trim, relaxQuotes });
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

function headerOption(header: unknown, columns: readonly string[] | undefined): void {
  if (columns !== undefined) {
    throw new ConfigurationError("header and columns exclude each other: columns is for a file without a header");
  }
  if (typeof header === "function") return;
  const isMap = typeof header === "object" && header !== null && !Array.isArray(header);
  if (isMap && Object.values(header).every((name) => typeof name === "string")) return;
  throw new ConfigurationError(
    `header must be an object of names or a function, but is ${show(header)}: write { "E-Mail": "email" }`,
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
    // A pipe would not open before something writes to it, and a pipe, a directory or a device has no bytes to go back to.
    const stats = await stat(name);
    if (stats.isFile()) return await open(name);
  } catch (thrown) {
    const { code, message } = toError(thrown) as NodeJS.ErrnoException;
    const hint =
      code === "ENOENT"
        ? ". Correct the path: a relative one begins at the working directory, and a URL made of import.meta.url at the bundle"
        : "";
    throw new SourceError(`cannot open ${name} (${resolve(name)}): ${message}${hint}`, { cause: thrown });
  }
  throw new SourceError(`${name} is not a file: give the path of one`, { permanent: true });
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
  readonly encoding: TextEncoding;
}

async function* readEntries(
  reader: RecordReader,
  { format, decode, name, limit, encoding }: Reading,
): AsyncGenerator<Entry, void, void> {
  for (let record = await reader.next(); record !== undefined; record = await reader.next()) {
    if (format.isBlank(record)) continue;
    let item: unknown;
    try {
      if (record.tooLong) throw new Error(tooLong(limit, format));
      item = decode(record);
    } catch (thrown) {
      reader.skipLine(record);
      const { line, isAll } = reader.firstLine(record);
      item = new UnreadableItem({
        raw: readable(line, encoding),
        error: `${toError(thrown).message}${isAll ? "" : " (a quote is opened in this line and not closed)"}`,
        at: `${name}:${record.line} (byte ${record.byte})`,
      });
    }
    yield { place: { byte: record.byte, line: record.line }, bytes: record.bytes.length, item };
  }
}

/** What stands in a line, for people: as text if it is of its encoding, and else its bytes. */
function readable(line: Buffer, encoding: TextEncoding): string | Buffer {
  try {
    return encoding.decode(line);
  } catch {
    return line;
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
