import { type ExactJson, parseJson, type UnsafeNumbers } from "../base/exact-json.ts";
import { show } from "../base/options.ts";
import { parseArray } from "./postgres-arrays.ts";

/** How the values of PostgreSQL become JSON. */
export interface PostgresValueOptions {
  readonly unsafeNumbers: UnsafeNumbers;
  readonly json: "value" | "text";
  readonly arrays: "list" | "text";
}

type Convert = (text: string) => ExactJson;

/**
 * The built-in types that do not stay as the text that PostgreSQL writes, by their object ids. They never change.
 * https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
 */
const BOOL = 16;
const BYTEA = 17;
const INT8 = 20;
const SMALL_INTEGERS = [21, 23, 26];
const FLOATS = [700, 701];
const JSON_TYPES = [114, 3802];

/** The types of arrays whose elements are separated by a comma, with the types of their elements. */
const ELEMENTS: ReadonlyMap<number, number> = new Map([
  [1000, BOOL],
  [1001, BYTEA],
  [1005, 21],
  [1007, 23],
  [1016, INT8],
  [1028, 26],
  [1021, 700],
  [1022, 701],
  [199, 114],
  [3807, 3802],
  // The elements of these stay texts: "char", name, text, char(n), varchar(n), numeric, money, uuid, date, time, timetz,
  // timestamp, timestamptz, interval, inet, cidr, macaddr.
  ...[1002, 1003, 1009, 1014, 1015, 1231, 791, 2951, 1182, 1183, 1270, 1115, 1185, 1187, 1041, 651, 1040].map(
    (type): [number, number] => [type, 25],
  ),
]);

/**
 * Returns the function that turns the text of a value, as PostgreSQL writes it, into JSON.
 *
 * A text loses nothing: numeric, money, dates and times with their microseconds, uuid and all other types stay the texts
 * that PostgreSQL writes. JavaScript holds booleans, small integers and floats exactly. A float that JSON cannot hold (NaN,
 * an infinity, or minus zero) stays a text. Bytes become base64.
 *
 * @param type The object id of the type.
 */
export function converterOf(type: number, options: PostgresValueOptions): Convert {
  if (type === BOOL) return (text) => text === "t";
  if (type === BYTEA) return (text) => Buffer.from(text.slice(2), "hex").toString("base64");
  if (type === INT8) return bigintConverter(options.unsafeNumbers);
  if (SMALL_INTEGERS.includes(type)) return Number;
  if (FLOATS.includes(type)) return floatOf;
  if (JSON_TYPES.includes(type)) {
    return options.json === "text" ? same : (text) => parseJson(text, options.unsafeNumbers) as ExactJson;
  }
  const element = ELEMENTS.get(type);
  if (element === undefined || options.arrays === "text") return same;
  const convert = converterOf(element, options);
  return (text) => parseArray(text, convert);
}

const same: Convert = (text) => text;

/** With `"text"`, the whole column is text, so that its values have one type. */
function bigintConverter(unsafeNumbers: UnsafeNumbers): Convert {
  if (unsafeNumbers === "text") return same;
  return (text) => parseJson(text, unsafeNumbers) as number | bigint;
}

function floatOf(text: string): number | string {
  const number = Number(text);
  return Number.isFinite(number) && !Object.is(number, -0) ? number : text;
}

/** Turns the texts of a row into an item. The message of an error names the column. */
export class RowConverter {
  readonly #columns: readonly { readonly name: string; readonly convert: Convert }[];

  /** @throws {Error} Two columns have the same name. */
  constructor(
    fields: readonly { readonly name: string; readonly dataTypeID: number }[],
    options: PostgresValueOptions,
  ) {
    const names = new Set<string>();
    for (const { name } of fields) {
      if (names.has(name))
        throw new Error(`two columns have the name ${show(name)}: give one of them another name with as`);
      names.add(name);
    }
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, convert: converterOf(dataTypeID, options) }));
  }

  /** @throws {Error} A value is refused. */
  toItem(row: readonly (string | null)[]): { readonly [column: string]: ExactJson } {
    // `Object.fromEntries` also keeps a column that is called `__proto__`.
    return Object.fromEntries(
      this.#columns.map(({ name, convert }, index) => {
        const text = row[index];
        if (text === null || text === undefined) return [name, null];
        try {
          return [name, convert(text)];
        } catch (cause) {
          throw new Error(`the column ${name}: ${(cause as Error).message}`, { cause });
        }
      }),
    );
  }
}
