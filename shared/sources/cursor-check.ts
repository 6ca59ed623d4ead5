import { SourceError, toError } from "../base/errors.ts";
import { toStoredText } from "../base/exact-json.ts";
import { show } from "../base/options.ts";
import type { Cursor } from "./source.ts";

/**
 * The largest cursor. Each checkpoint writes the cursor into a row of the ledger, so a large cursor would make each
 * checkpoint slow.
 */
const LARGEST_CURSOR_BYTES = 16_384;

const SHOWN_CHARACTERS = 100;

/**
 * Checks that the ledger can return a cursor exactly as the source gave it: the cursor must be JSON, and writing it as
 * JSON must lose nothing. A `Date`, for example, would be a `Date` in one slice of the producer and a string in the
 * next.
 *
 * @returns the JSON text that is stored.
 * @throws {SourceError} `permanent`: JSON cannot hold the cursor, or the text takes more than 16 KiB. The message names
 *   the place of the wrong value inside the cursor.
 */
export function cursorText(cursor: Cursor): string {
  try {
    checkValue(cursor, "cursor", new Set());
  } catch (thrown) {
    if (thrown instanceof SourceError) throw thrown;
    // A getter or a proxy of the source threw, or the nesting is too deep for the stack.
    throw invalid(`it cannot be read: ${toError(thrown).message}`, { cause: thrown });
  }
  const text = toStoredText(cursor);
  if (Buffer.byteLength(text) <= LARGEST_CURSOR_BYTES) return text;
  throw invalid(`it takes more than ${LARGEST_CURSOR_BYTES} bytes: store a reference in the cursor instead of data`);
}

function checkValue(value: unknown, path: string, ancestors: Set<object>): void {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "bigint":
      return;
    case "number":
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw rounded(path, value);
      if (Number.isFinite(value)) return;
      throw notJson(path, String(value), "");
    case "object":
      if (value === null) return;
      checkObject(value, path, ancestors);
      return;
    case "undefined":
      throw notJson(path, "undefined", ": leave the key out, or use null");
    default:
      throw notJson(path, `a ${typeof value}`, "");
  }
}

function checkObject(value: object, path: string, ancestors: Set<object>): void {
  if (ancestors.has(value)) throw notJson(path, "an object that contains itself", "");
  ancestors.add(value);
  if (Array.isArray(value)) {
    // A loop over the indexes also finds holes, which JSON would turn into null.
    for (let index = 0; index < value.length; index++) checkValue(value[index], `${path}[${index}]`, ancestors);
  } else {
    checkPlain(value, path);
    for (const [key, inner] of Object.entries(value)) checkValue(inner, `${path}${step(key)}`, ancestors);
  }
  ancestors.delete(value);
}

/** JSON returns only plain objects unchanged. Plain objects of another realm (`node:vm`) count as plain, too. */
function checkPlain(value: object, path: string): void {
  if (value instanceof Date) throw notJson(path, `the Date ${cut(show(value))}`, ": use its text, date.toISOString()");
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  const hasToJson = "toJSON" in value && typeof value.toJSON === "function";
  if (isPlain && !hasToJson) return;
  const { name } = (value.constructor as { name?: unknown } | undefined) ?? {};
  throw notJson(path, typeof name === "string" ? `an instance of ${cut(name)}` : "an instance of a class", "");
}

const step = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${cut(JSON.stringify(key))}]`);

const cut = (text: string): string => (text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);

/**
 * An error, because JavaScript rounds integers beyond ±(2^53 − 1): two positions can become the same number, and the
 * items between them would be left out.
 */
function rounded(path: string, value: number): SourceError {
  return invalid(
    `${path} is ${BigInt(value)}, beyond ±(2^53 − 1), where JavaScript rounds integers: use a bigint or a string`,
  );
}

function notJson(path: string, what: string, fix: string): SourceError {
  const hint =
    fix === "" ? ": use strings, finite numbers, booleans, null, and plain arrays and objects of these" : fix;
  return invalid(`${path} is ${what}, which JSON cannot hold${hint}`);
}

function invalid(reason: string, options: { readonly cause?: unknown } = {}): SourceError {
  const message = `the cursor that the source returned as next cannot be stored in the ledger: ${reason}`;
  return new SourceError(message, { ...options, permanent: true });
}
