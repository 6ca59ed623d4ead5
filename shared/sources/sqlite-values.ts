import * as z from "zod";
import type { UnsafeNumbers } from "../base/exact-json.ts";
import { type ExactJson, parseJson } from "../base/exact-json.ts";

/** A value as `node:sqlite` returns it, with integers as bigints. */
export type SqliteValue = null | bigint | number | string | Uint8Array;

/**
 * A value of a key in a cursor, with its storage class: SQLite orders 5, 5.0 and '5' by their classes.
 * https://www.sqlite.org/datatype3.html#comparison_expressions
 */
export type SqliteKeyValue =
  | { readonly integer: string }
  | { readonly real: string }
  | { readonly text: string }
  | { readonly blob: string };

export const sqliteKeyValue: z.ZodType<SqliteKeyValue> = z.union([
  z.strictObject({ integer: z.string().regex(/^-?\d+$/) }),
  z.strictObject({ real: z.string() }),
  z.strictObject({ text: z.string() }),
  z.strictObject({ blob: z.base64() }),
]);

/** @throws {Error} The value is null. */
export function toKeyValue(value: SqliteValue): SqliteKeyValue {
  if (typeof value === "bigint") return { integer: String(value) };
  if (typeof value === "number") return { real: String(value) };
  if (typeof value === "string") return { text: value };
  if (value === null) throw new Error("a key is null");
  return { blob: Buffer.from(value).toString("base64") };
}

/** The opposite of `toKeyValue`. */
export function fromKeyValue(value: SqliteKeyValue): Exclude<SqliteValue, null> {
  if ("integer" in value) return BigInt(value.integer);
  if ("real" in value) return Number(value.real);
  return "text" in value ? value.text : Buffer.from(value.blob, "base64");
}

/**
 * A value as JSON. An integer that JavaScript would alter is kept as `unsafeNumbers` says. A float that JSON cannot hold (an
 * infinity, or minus zero) becomes a text, and bytes become base64.
 *
 * @throws {Error} A number is refused.
 */
export function toJsonValue(value: SqliteValue, unsafeNumbers: UnsafeNumbers): ExactJson {
  if (typeof value === "bigint") return parseJson(String(value), unsafeNumbers) as ExactJson;
  if (typeof value === "number") {
    if (Object.is(value, -0)) return "-0";
    return Number.isFinite(value) ? value : String(value);
  }
  if (value === null || typeof value === "string") return value;
  return Buffer.from(value).toString("base64");
}
