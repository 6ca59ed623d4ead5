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
import type { Cursor, Environment, Source } from "./source.ts";
import { encodingOption, type TextEncoding } from "./text-encoding.ts";
import { UnreadableItem } from "./unreadable-item.ts";
import { unsafeNumbersOption } from "./unsafe-numbers.ts";

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

/** Options for every format. */
interface CommonOptions {
  /** Number of items in a page: 1 to 200. Default 200. A page also ends at 4 MiB. */
  readonly pageSize?: number;
  /**
   * The longest line (in CSV: row) in bytes, 1 to 16 MiB. Default 2 MiB, somewhat more than a message can hold. A
   * longer line becomes a dead letter and is not held in memory.
   */
  readonly maxItemBytes?: number;
  /**
   * The encoding of the file, by its name in the Encoding Standard: `"utf-16le"`, `"windows-1252"`, `"shift_jis"`.
   * `"latin1"` means `"windows-1252"`. Default `"utf-8"`. A byte order mark is not part of the text.
   */
  readonly encoding?: string;
}

/** Options of `fileLines` for JSON Lines. */
export interface JsonLinesOptions extends CommonOptions {
  /** Each line of the file is one JSON value. */
  readonly format: "jsonl";
  /**
   * What Sluice does with a number that JavaScript would alter, such as the id `12345678901234567`. Default `"refuse"`:
   * the line becomes a dead letter with the reason `invalid item`. `"text"` keeps the number as a string. `"bigint"`
   * keeps an integer as a bigint.
   */
  readonly unsafeNumbers?: UnsafeNumbers;
}

/** Options of `fileLines` for CSV. */
export interface CsvOptions extends CommonOptions {
  /**
   * Each row of the file is one item, an object of strings. As in RFC 4180, a quoted field may contain newlines, and a
   * quote inside it is written as two quotes.
   */
  readonly format: "csv";
  /**
   * The ASCII character between fields. Default: the character that a first line such as `sep=;` names, otherwise
   * `","`.
   */
  readonly delimiter?: string;
  /** The ASCII character around a quoted field, or `false` if no field is quoted. Default `'"'`. */
  readonly quote?: string | false;
  /** The names of the columns, for a file without a header. Default: the first line names the columns. */
  readonly columns?: readonly string[];
  /**
   * New names for columns of the header: `{ "E-Mail": "email" }`. A column that the file does not have is an error. A
   * function receives each name and its index, and returns the new name. Default: the names stay.
   */
  readonly header?: HeaderNames;
  /**
   * Whether to remove blanks around names and around unquoted values. Default: values keep their blanks, and a name
   * with blanks is an error, because such a name is rarely intended.
   */
  readonly trim?: boolean;
  /**
   * Whether a quote may be part of the text, as in `5" pipe`. With `true`, a quote opens a quoted field only at the
   * start of the field, and closes it only at the end. Default `false`: such a row becomes a dead letter.
   */
  readonly relaxQuotes?: boolean;
}

/** Options of `fileLines`. */
export type FileLinesOptions = JsonLinesOptions | CsvOptions;

/** A page ends with the item that reaches this size, because the producer holds two pages in memory. */
const PAGE_BYTES = 4 * 1_024 * 1_024;

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
  const format = formatOption(options);
  const encoding = encodingOption(options.encoding);
  const pageSize = pageSizeOption(options.pageSize);
  const limit = integerOption("maxItemBytes", options.maxItemBytes ?? 2 * 1_024 * 1_024, {
    minimum: 1,
    maximum: 16 * 1_024 * 1_024,
    fix: "a message holds at most 1 MiB, so more than the default 2097152 rarely helps",
  });
  if (typeof path !== "function") toPath(path);

  return {
    ...(options.format === "csv" && options.columns === undefined && { fieldsFrom: "header" as const }),
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

/**
 * Whether the only item of a file is a list of objects. Then the file is most likely a JSON document, and not JSON
 * Lines.
 */
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
    throw new ConfigurationError(`format must be "jsonl" or "csv", but is ${show(format)}: use the format of the file`);
  }
  rejectUnknownKeys(options, CSV_KEYS, "fileLines(..., CSV)");
  const { delimiter, quote = '"', columns, header, trim, relaxQuotes = false } = options;
  if (delimiter !== undefined) characterOption("delimiter", delimiter, 'such as "," or ";" or "\t"');
  if (quote !== false) characterOption("quote", quote, "or false if no field is quoted");
  if ((delimiter ?? ",") === quote) {
    throw new ConfigurationError(`delimiter and quote must differ, but both are ${show(quote)}: change one`);
  }
  if (header !== undefined) headerOption(header, columns);
  if (trim !== undefined) booleanOption("trim", trim);
  booleanOption("relaxQuotes", relaxQuotes);
  if (columns !== undefined) columnsOption(columns);
  return csv({ delimiter, quote: quote === false ? "" : quote, columns, header, trim, relaxQuotes });
}

function characterOption(option: string, value: unknown, examples: string): void {
  if (typeof value === "string" && /^[\t -~]$/.test(value)) return;
  throw new ConfigurationError(`${option} must be one ASCII character, but is ${show(value)}: use one, ${examples}`);
}

function columnsOption(columns: readonly string[]): void {
  const names = Array.isArray(columns) && columns.length > 0 && columns.every((name) => typeof name === "string");
  if (names && new Set(columns).size === columns.length) return;
  throw new ConfigurationError(
    `columns must be a list of distinct names, but is ${show(columns)}: leave it out if the first line names the columns`,
  );
}

function headerOption(header: unknown, columns: readonly string[] | undefined): void {
  if (columns !== undefined) {
    throw new ConfigurationError(
      "header and columns cannot be used together: columns is for a file without a header, so remove one of the two",
    );
  }
  if (typeof header === "function") return;
  const isMap = typeof header === "object" && header !== null && !Array.isArray(header);
  if (isMap && Object.values(header).every((name) => typeof name === "string")) return;
  throw new ConfigurationError(
    `header must be an object of names or a function, but is ${show(header)}: write { "E-Mail": "email" }`,
  );
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

interface Entry {
  readonly place: Place;
  /** How many bytes of the file the item takes. */
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

/** The content of a line, for people: text if the bytes are valid in the encoding, otherwise the bytes. */
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
