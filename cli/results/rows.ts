import { stringify } from "csv-stringify/sync";
import { jsonText } from "../../shared/base/exact-json.ts";
import type { DeadLetter, WithItemAddress } from "../../shared/dead-letters/read-dead-letter.ts";
import type { IncludedField, ResultFormat } from "../../shared/definition/results-options.ts";
import { itemId } from "../../shared/messages/item-address.ts";
import { Columns, CsvRows } from "../../shared/results/csv-columns.ts";
import type { ResultLines, ResultSet } from "../../shared/results/read-results.ts";
import { TextBuffer } from "../../shared/results/text-buffer.ts";
import type { FailedColumns } from "./failed-columns.ts";

/** Some rows as the user gets them, as text or bytes. */
export interface OutputRows {
  readonly content: string | Uint8Array;
  readonly rows: number;
}

/** A dead letter of an item of the run. */
export type FailedItem = DeadLetter & WithItemAddress;

/** How the rows of one command look. */
export interface RowFormat {
  /** The rows of the results. For CSV, the header comes first. */
  rows(): AsyncIterable<OutputRows>;
  /** The rows of items that failed. They follow the results. */
  failed(items: readonly FailedItem[]): string;
}

/** How the user wants the rows. */
export interface RowOptions {
  readonly format: ResultFormat;
  /** The fields that the rows of the run have. */
  readonly include: readonly IncludedField[];
  /** The columns of items that failed, if their rows follow. Only CSV uses them. */
  readonly failed?: FailedColumns | undefined;
  /** Called with the number of rows that were read without being written, to find the columns of CSV. */
  readonly onRead?: (rows: number) => void;
}

/** The rows of a result set in a format. */
export async function rowFormat(
  set: ResultSet,
  { format, include, failed, onRead = () => {} }: RowOptions,
): Promise<RowFormat> {
  if (format === "jsonl") return { rows: () => asTheyAre(set.lines()), failed: failedAsJsonl };
  const { manifest } = set;
  const isStored = manifest?.format === "csv" && manifest.rows === set.expectedRows;
  if (isStored && failed === undefined) return { rows: () => storedCsv(set), failed: () => "" };
  const csv = new CsvRows(include, await columnsOf(set, onRead));
  const { header } = csv;
  const failedNames = (failed?.names ?? []).map((name) => (header.includes(name) ? `failed.${name}` : name));
  return {
    rows: () => convertedToCsv(set, csv, failedNames),
    failed: (items) =>
      stringify(
        items.map((item) => {
          const shared = header.slice(1).map((name) => failed?.included(name, item) ?? "");
          return [failedRow(item).id, ...shared, ...(failed?.cells(item) ?? [])];
        }),
        { escape_formulas: true },
      ),
  };
}

async function* asTheyAre(lines: AsyncIterable<ResultLines>): AsyncGenerator<OutputRows> {
  for await (const { lines: content, rows } of lines) yield { content, rows };
}

/** Copies the CSV parts. All of them have the same header, and only the first one's is kept. */
async function* storedCsv({ store, manifest }: ResultSet): AsyncGenerator<OutputRows> {
  let isFirst = true;
  for (const { rows, csv } of (manifest?.blocks ?? []).flatMap(({ parts }) => parts)) {
    if (csv === undefined) continue;
    let header: HeaderSearch | undefined = isFirst ? undefined : new HeaderSearch();
    let bytes = 0;
    let counted = 0;
    for await (const chunk of store.stream(csv.key)) {
      const content = header === undefined ? chunk : header.rest(chunk);
      if (content === undefined) continue;
      header = undefined;
      // How many rows a chunk has is an estimate, which only the progress needs.
      bytes += chunk.byteLength;
      const share = Math.min(rows, Math.round((rows * bytes) / csv.bytes)) - counted;
      counted += share;
      yield { content, rows: share };
    }
    yield { content: "", rows: rows - counted };
    isFirst = false;
  }
}

/** Looks for the end of a header, which can contain quoted line breaks. */
class HeaderSearch {
  #isQuoted = false;

  /** @returns What follows the header, or `undefined` while the header has not ended. */
  rest(chunk: Uint8Array): Uint8Array | undefined {
    for (const [index, byte] of chunk.entries()) {
      if (byte === 0x22) this.#isQuoted = !this.#isQuoted;
      else if (byte === 0x0a && !this.#isQuoted) return chunk.subarray(index + 1);
    }
    return undefined;
  }
}

const NEWLINE = 10;

/** The lines of a text of whole lines, each with its newline. */
function* linesIn({ buffer, byteOffset, byteLength }: Uint8Array): Generator<Buffer> {
  const lines = Buffer.from(buffer, byteOffset, byteLength);
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf(NEWLINE, start) + 1;
    yield lines.subarray(start, end);
    start = end;
  }
}

/** Many lines are decoded at once, which takes less time than one by one. */
const DECODED_BYTES = 64 * 1_024;

/** The lines of a text of whole lines, without their newlines. */
function* textsIn({ buffer, byteOffset, byteLength }: Uint8Array): Generator<string> {
  const lines = Buffer.from(buffer, byteOffset, byteLength);
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf(NEWLINE, Math.min(lines.length - 1, start + DECODED_BYTES)) + 1;
    const text = lines.toString("utf8", start, end);
    for (let from = 0; from < text.length; ) {
      const newline = text.indexOf("\n", from);
      yield text.slice(from, newline);
      from = newline + 1;
    }
    start = end;
  }
}

/** The columns of all results. All rows are read to find them. */
async function columnsOf(set: ResultSet, onRead: (rows: number) => void): Promise<readonly string[]> {
  const columns = new Columns();
  for await (const { lines, rows } of set.lines()) {
    for (const line of linesIn(lines)) columns.learn(line);
    onRead(rows);
  }
  return columns.names;
}

async function* convertedToCsv(set: ResultSet, csv: CsvRows, more: readonly string[]): AsyncGenerator<OutputRows> {
  const names = more.length === 0 ? "" : `,${stringify([[...more]], { escape_formulas: true }).trimEnd()}`;
  yield { content: `${csv.headerLine.slice(0, -1)}${names}\n`, rows: 0 };
  const end = `${",".repeat(more.length)}\n`;
  const text = new TextBuffer();
  for await (const { lines, rows } of set.lines()) {
    for (const line of textsIn(lines)) text.add(csv.line(line, end));
    yield { content: text.take(), rows };
  }
}

/** The row of an item that failed: the same id as a result's row, and why it failed. */
function failedRow(deadLetter: FailedItem) {
  const { run, partition = 0, page, index, reason, failures, error, id } = deadLetter;
  return {
    id: itemId({ run, partition, page, index }),
    failed: { reason, attempts: failures.length, error, deadLetter: id },
    item: deadLetter.item,
  };
}

const failedAsJsonl = (items: readonly FailedItem[]): string =>
  items.map((item) => `${jsonText(failedRow(item)) ?? ""}\n`).join("");
