import cliTruncate from "cli-truncate";
import { plural, style, table } from "./format.ts";
import { oneLine } from "./printable.ts";
import { widthOf } from "./terminal-width.ts";

/** Where results are, and the first of them. */
export interface ResultsAtEnd {
  readonly rows: number;
  readonly files: readonly string[];
  readonly first: readonly { readonly id: string; readonly result: unknown }[];
}

const LONGEST_CELL = 40;

/** The lines that say where the results of a run are, with the first ones as a table. */
export function resultsLines({ rows, files, first }: ResultsAtEnd): readonly string[] {
  const [file] = files;
  if (file === undefined) return [];
  const others = files.length === 1 ? "" : ` and ${plural(files.length - 1, "other file")} there`;
  const columns = columnsOf(first.map(({ result }) => result));
  const body = first.map(({ id, result }) => [placeOf(id), ...columns.map((name) => cellOf(result, name))]);
  const width = widthOf(process.stdout);
  const lines = table([["item", ...columns], ...body], "    ", columns.length + 1).split("\n");
  return [
    `  ${plural(rows, "result")} in ${file}${others}`,
    ...lines.map((line, index) => {
      const short = process.stdout.isTTY ? cliTruncate(line, width) : line;
      return index === 0 ? style("dim", short) : short;
    }),
  ];
}

/** The id of an item without its run: `0/17`. */
const placeOf = (id: string): string => id.slice(id.indexOf("/") + 1);

/** The fields of the results, or one column if a result is no object. */
function columnsOf(results: readonly unknown[]): readonly string[] {
  if (!results.every(isPlainObject)) return ["result"];
  return [...new Set(results.flatMap((result) => Object.keys(result)))];
}

function cellOf(result: unknown, column: string): string {
  const value = isPlainObject(result) ? result[column] : result;
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return cliTruncate(oneLine(text), LONGEST_CELL);
}

const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
