import { readFileSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { parse } from "csv-parse/sync";
import { type CsvEncoding, encodingOf } from "./csv-encoding.ts";
import { InitError } from "./init-error.ts";
import type { OwnCsv } from "./source-kind.ts";

/** Where the guide is, in a project with the library. */
const GUIDE = "node_modules/sluice/docs/guides/sources.md#csv-files";

/** The header and the first row are looked for in so many bytes. A string has at most 512 MiB. */
const START_BYTES = 1_048_576;

const CORRECT = `Correct the line, or begin with the sample and read ${GUIDE}`;

/**
 * Reads the user's CSV file: its encoding, its delimiter, its columns and its first row.
 *
 * @throws {InitError} It cannot be read, it is no text, or its header does not name each column once.
 */
export function readOwnCsv(path: string): OwnCsv {
  let content: Uint8Array;
  try {
    content = readFileSync(path);
  } catch (thrown) {
    throw new InitError(`${resolve(path)} cannot be read: ${(thrown as Error).message}. Correct the path after --file`);
  }
  if (content.length === 0) throw new InitError(`${resolve(path)} is empty: give a file with a header after --file`);
  const encoding = encodingIn(content, path);
  const { markBytes } = encoding;
  const text = new TextDecoder(encoding.name).decode(content.subarray(markBytes, markBytes + START_BYTES));
  const { separator, table, line } = withoutSeparatorLine(text);
  const firstLine = table.slice(0, table.search(/[\r\n]|$/));
  const delimiter = separator ?? delimiterOf(firstLine);
  const where = `line ${line} of ${resolve(path)}`;
  const [header = [], row] = firstRecords(table, delimiter, where);
  const names = header.map((name) => name.trim());
  checkNames(names, where, firstLine);
  return {
    content,
    columns: names,
    row,
    options: {
      // Without the option, `fileLines` takes the delimiter of a first line such as `sep=;`.
      ...(separator === undefined && delimiter !== "," && { delimiter }),
      ...(encoding.name !== "utf-8" && { encoding: encoding.name }),
      ...(header.some((name) => name !== name.trim()) && { trim: true }),
    },
    notes: [...encodingNotes(encoding), ...columnNotes(names, row)].map((note) => `${basename(path)} ${note}`),
  };
}

function encodingNotes({ name, damagedLine }: CsvEncoding): readonly string[] {
  if (damagedLine !== undefined) {
    return [
      `is UTF-8, except for some bytes: the first are in line ${damagedLine}. Rows with such bytes become dead letters. Correct ` +
        "them in the file, or redrive them with a correction",
    ];
  }
  if (name !== "windows-1252") return [];
  return [
    "is not UTF-8. The workflow reads it as windows-1252. If letters with accents come out wrong, set another encoding in the " +
      `workflow: ${GUIDE}`,
  ];
}

function columnNotes(names: readonly string[], row: readonly string[] | undefined): readonly string[] {
  const unnamed = names.indexOf("");
  return [
    ...(unnamed === -1 ? [] : [`has no name for column ${unnamed + 1}. In the workflow its name is ""`]),
    ...(row === undefined || row.length === names.length
      ? []
      : [
          `has ${columns(names.length)} in its header and ${columns(row.length)} in its first row. Such rows become dead letters. ` +
            "If there are lines before the header, delete them, here and in data/",
        ]),
  ];
}

const columns = (count: number): string => (count === 1 ? "1 column" : `${count} columns`);

/** A name for a workflow from the name of a file: `My customers.csv` becomes `my-customers`. */
export function nameOf(path: string): string {
  const words = basename(path, extname(path))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-");
  return words.replaceAll(/^[^a-z]+|-+$/g, "").slice(0, 40);
}

function encodingIn(content: Uint8Array, path: string): CsvEncoding {
  try {
    return encodingOf(content);
  } catch (thrown) {
    throw new InitError(`${resolve(path)} is ${(thrown as Error).message}, and give the new file after --file`);
  }
}

/** Excel may write the delimiter into a line before the header: `sep=;`. */
function withoutSeparatorLine(text: string): { separator?: string; table: string; line: number } {
  const [all, separator] = /^"?sep=([\t -~])"?(?:\r*\n|\r|$)/i.exec(text) ?? [];
  if (all === undefined || separator === undefined) return { table: text, line: 1 };
  return { separator, table: text.slice(all.length), line: 2 };
}

/**
 * The header and the first row. A row that cannot be parsed is left out: it becomes a dead letter in the run.
 *
 * @throws {InitError} The header cannot be parsed.
 */
function firstRecords(table: string, delimiter: string, where: string): string[][] {
  const options = { delimiter, relax_column_count: true, skip_empty_lines: true };
  try {
    return parse(table, { ...options, to: 2 }) as string[][];
  } catch {
    try {
      return parse(table, { ...options, to: 1 }) as string[][];
    } catch (thrown) {
      throw new InitError(`${where} is no line of CSV: ${(thrown as Error).message}. ${CORRECT}`);
    }
  }
}

/** One name may be empty, such as that of the row numbers which some programs write, or that after a delimiter at the end. */
function checkNames(names: readonly string[], where: string, firstLine: string): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (names.some((name) => name !== "") && repeated === undefined) return;
  const problem =
    repeated === undefined || repeated === ""
      ? `must name each column, and it is ${JSON.stringify(firstLine)}`
      : `names the column ${JSON.stringify(repeated)} twice`;
  throw new InitError(`${where} ${problem}. ${CORRECT}`);
}

/** The character that separates the fields: the most frequent one of the usual characters outside of quotes. */
function delimiterOf(firstLine: string): string {
  const bare = firstLine.replaceAll(/"[^"]*"/g, "");
  const count = (character: string) => bare.split(character).length;
  return [",", ";", "\t", "|"].reduce((best, next) => (count(next) > count(best) ? next : best));
}
