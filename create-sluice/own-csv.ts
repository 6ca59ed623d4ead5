import { readFileSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { parse } from "csv-parse/sync";
import { InitError } from "./init-error.ts";
import type { OwnCsv } from "./source-kind.ts";

/**
 * Reads the user's CSV file.
 *
 * @throws {InitError} It cannot be read, or its first line names no columns.
 */
export function readOwnCsv(path: string): OwnCsv {
  let content: Uint8Array;
  try {
    content = readFileSync(path);
  } catch (thrown) {
    throw new InitError(`${resolve(path)} cannot be read: ${(thrown as Error).message}. Correct the path after --file`);
  }
  const text = new TextDecoder().decode(content);
  const firstLine = text.slice(0, text.search(/[\r\n]|$/));
  const delimiter = delimiterOf(firstLine);
  const [columns = []] = parse(text, { bom: true, delimiter, to: 1 }) as string[][];
  if (columns.some((name) => name === "" || name !== name.trim()) || columns.length === 0) {
    throw new InitError(
      `the first line of ${resolve(path)} must name the columns, without blanks around the names, and it is ${JSON.stringify(firstLine)}. ` +
        "Correct the line, or begin with the sample and read docs/guides/sources.md#csv-files",
    );
  }
  return { content, columns, delimiter };
}

/** A name for a workflow from the name of a file: `My customers.csv` becomes `my-customers`. */
export function nameOf(path: string): string {
  const words = basename(path, extname(path))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-");
  return words.replaceAll(/^[^a-z]+|-+$/g, "").slice(0, 40);
}

/** The character that separates the fields: the most frequent one of the usual characters outside of quotes. */
function delimiterOf(firstLine: string): string {
  const bare = firstLine.replaceAll(/"[^"]*"/g, "");
  const count = (character: string) => bare.split(character).length;
  return [",", ";", "\t", "|"].reduce((best, next) => (count(next) > count(best) ? next : best));
}
