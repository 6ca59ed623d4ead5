/**
 * A JSON value in which integers can also be bigints. In messages, cursors and dead letters, Sluice writes a bigint as
 * a JSON number and reads the number as a bigint again.
 */
export type ExactJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly ExactJson[]
  | { readonly [key: string]: ExactJson };

/** The values of `UnsafeNumbers`. */
export const UNSAFE_NUMBERS = ["refuse", "text", "bigint"] as const;

/**
 * How to read a number in a JSON text that JavaScript would change: an integer beyond ±(2^53 − 1), such as
 * `12345678901234567`; a number beyond the range of a double, such as `1e400`; or a fraction with more than 17
 * significant digits.
 *
 * - `"refuse"`: the item becomes a dead letter with its text and the reason `invalid item`.
 * - `"text"`: the number becomes a string of its digits.
 * - `"bigint"`: an integer becomes a bigint. Any other such number is refused.
 *
 * Integers within ±(2^53 − 1) are always plain numbers.
 */
export type UnsafeNumbers = (typeof UNSAFE_NUMBERS)[number];

/** A JSON text contains a number that JavaScript would change. The message states the number and its key. */
export class UnsafeNumberError extends Error {
  override readonly name = "UnsafeNumberError";
}

/** A number in a parsed JSON document that JavaScript would change. `JSON.stringify` writes it as the same number. */
export class UnsafeNumber {
  /** The number as it is written in the JSON text. */
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  toJSON(): unknown {
    return rawJson(this.source);
  }

  toString(): string {
    return this.source;
  }
}

/**
 * Parses JSON without changing a number. If the text contains no long number, the only cost in addition to `JSON.parse`
 * is one text search.
 *
 * @throws {UnsafeNumberError} The text contains a number that JavaScript would change and that `unsafeNumbers` refuses.
 * @throws {SyntaxError} The text is not JSON.
 * @example parseJson('{"id":12345678901234567}', "bigint") // { id: 12345678901234567n }
 */
export function parseJson(text: string, unsafeNumbers: UnsafeNumbers): unknown {
  return parse(text, (source, key) => {
    const kept = keep(source, unsafeNumbers);
    if (kept === undefined) throw new UnsafeNumberError(unsafeNumberText(source, key, unsafeNumbers));
    return kept;
  });
}

/** A JSON document, and whether it contains an `UnsafeNumber`. */
export interface MarkedJson {
  readonly value: unknown;
  readonly marked: boolean;
}

/**
 * Parses JSON. Each number that `unsafeNumbers` refuses becomes an `UnsafeNumber`. So a document with many items can be
 * read although one of them is refused.
 *
 * @throws {SyntaxError} The text is not JSON.
 */
export function parseMarkedJson(text: string, unsafeNumbers: UnsafeNumbers): MarkedJson {
  let marked = false;
  const value = parse(text, (source) => {
    const kept = keep(source, unsafeNumbers);
    if (kept === undefined) marked = true;
    return kept ?? new UnsafeNumber(source);
  });
  return { value, marked };
}

/** The first `UnsafeNumber` in a value, with its key. */
export function findUnsafeNumber(
  value: unknown,
  key = "",
): { readonly key: string; readonly source: string } | undefined {
  if (value instanceof UnsafeNumber) return { key, source: value.source };
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const found = findUnsafeNumber(inner, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A text that states how JavaScript would change a number, and how to keep the number. */
export function unsafeNumberText(source: string, key: string, unsafeNumbers: UnsafeNumbers): string {
  const where = key === "" ? "the value" : JSON.stringify(key);
  const altered = INTEGER.test(source) ? "round" : `read as ${Number(source)}`;
  const fix =
    INTEGER.test(source) && unsafeNumbers === "refuse"
      ? 'set unsafeNumbers to "text" or "bigint" to keep it'
      : 'set unsafeNumbers to "text" to keep it';
  return `${where} is ${shortened(source)}, which JavaScript would ${altered}: ${fix}`;
}

/** A value as JSON, with bigints as JSON numbers. `undefined` if `JSON.stringify` returns `undefined`. */
export function jsonText(value: unknown, space?: number): string | undefined {
  try {
    return JSON.stringify(value, undefined, space);
  } catch {
    // The value may contain a bigint. Only then use a replacer, because it makes JSON.stringify several times slower.
    return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? rawJson(String(inner)) : inner), space);
  }
}

/** A value as a JSON text that can be read as the same value again. */
export interface ExactText {
  readonly json: string;
  /** The value contains a bigint, so the text must be read with `parseBigints`. */
  readonly bigints?: true;
}

/**
 * A function that is called for each value before the value is written, except for strings, booleans, bigints and
 * finite numbers. The function can throw. If the value has a `toJSON` method, the function receives what the method
 * returned. `this` is the object or the array that contains the value, and `this[key]` is the value before its `toJSON`
 * was called.
 */
export type Inspect = (this: unknown, key: string, value: unknown) => void;

/**
 * A value as JSON text, including bigints. For a value without bigints, the text is the same as from `JSON.stringify`.
 * In the text of a value with bigints, the form of each number shows its type, and every JSON parser reads the right
 * number. A bigint within ±(2^53 − 1) is written as `5.0`, a form that JavaScript never writes for a number. A bigint
 * beyond that range is written as its digits, and a number beyond that range is written with an exponent, such as
 * `1e+20`.
 *
 * @returns `undefined` if `JSON.stringify` returns `undefined`.
 */
export function toExactText(value: unknown, inspect?: Inspect): ExactText | undefined {
  let bigints = false;
  let largeNumbers = false;
  const json = JSON.stringify(value, function (this: unknown, key: string, inner: unknown) {
    switch (typeof inner) {
      case "string":
      case "boolean":
        return inner;
      case "number":
        if (Number.isSafeInteger(inner)) return inner;
        if (Number.isInteger(inner)) largeNumbers = true;
        if (Number.isFinite(inner)) return inner;
        break;
      case "bigint":
        bigints = true;
        return toRaw(inner);
    }
    inspect?.call(this, key, inner);
    return inner;
  });
  if (json === undefined) return undefined;
  if (!bigints) return { json };
  return { json: largeNumbers ? JSON.stringify(value, (_, inner) => toRaw(inner)) : json, bigints };
}

/** A value as indented JSON text that people can edit, with bigints and numbers as in `toExactText`. */
export function toEditableText(value: unknown): string | undefined {
  return JSON.stringify(value, (_, inner) => toRaw(inner), 2);
}

/** Parses a text that `toExactText` has written for a value with bigints. */
export function parseBigints(json: string): unknown {
  return JSON.parse(json, ((_: string, value: unknown, { source }: { readonly source?: string }) => {
    if (typeof value !== "number" || source === undefined) return value;
    if (source.endsWith(".0")) return BigInt(source.slice(0, -2));
    return Number.isSafeInteger(value) || !INTEGER.test(source) ? value : BigInt(source);
  }) as Reviver);
}

/**
 * The prefix of a stored text that must be read with `parseBigints`. No JSON text begins with it, so older code fails
 * instead of reading wrong numbers.
 */
const BIGINTS = "bigints:";

/** A value as one text that also states whether the value contains bigints. Without bigints, the text is plain JSON. */
export function toStoredText(value: unknown): string {
  const text = toExactText(value);
  if (text === undefined) throw new TypeError(`${typeof value} is not JSON`);
  return text.bigints === true ? `${BIGINTS}${text.json}` : text.json;
}

/** Parses a text that `toStoredText` has written. */
export function fromStoredText(text: string): unknown {
  return text.startsWith(BIGINTS) ? parseBigints(text.slice(BIGINTS.length)) : JSON.parse(text);
}

// Only a text that matches is parsed number by number. In JSON, a number is at the start of the text or follows a
// colon, a comma, a bracket or a space. Digits inside a string, such as the digits of a hash, rarely follow one of
// these characters. A match that is not a number costs only time.
const MAY_HOLD_UNSAFE_NUMBER = /(?:^|[:,[\s])-?(?:\d{16}|[\d.]{19}|[\d.]+[eE])/;
const INTEGER = /^-?\d+$/;
const NUMBER = /^-?(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:[eE](?<exponent>[+-]?\d+))?$/;

/** 17 significant digits are enough to distinguish every double from all others. */
const DIGITS_OF_A_DOUBLE = 17;

type Reviver = (this: unknown, key: string, value: unknown) => unknown;

// TypeScript's library has no types yet for the source text of a number and for raw JSON. Node has both since version
// 22.
function parse(text: string, onUnsafe: (source: string, key: string) => unknown): unknown {
  if (!MAY_HOLD_UNSAFE_NUMBER.test(text)) return JSON.parse(text);
  return JSON.parse(text, ((key: string, value: unknown, { source }: { readonly source?: string }) =>
    typeof value === "number" && source !== undefined && isAltered(source, value)
      ? onUnsafe(source, key)
      : value) as Reviver);
}

const rawJson = (number: string): object => (JSON as unknown as { rawJSON(text: string): object }).rawJSON(number);

function toRaw(value: unknown): unknown {
  if (typeof value === "bigint") {
    return rawJson(Number.isSafeInteger(Number(value)) ? `${value}.0` : String(value));
  }
  const large = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return large ? rawJson(value.toExponential()) : value;
}

function keep(source: string, unsafeNumbers: UnsafeNumbers): string | bigint | undefined {
  if (unsafeNumbers === "text") return source;
  return unsafeNumbers === "bigint" && INTEGER.test(source) ? BigInt(source) : undefined;
}

/**
 * Whether JavaScript changes a number. A fraction with up to 17 digits counts as unchanged, because some languages
 * write a double with 17 digits: C and PHP can print 0.1 as `0.10000000000000001`.
 */
function isAltered(source: string, value: number): boolean {
  if (INTEGER.test(source)) return !Number.isSafeInteger(value);
  if (!Number.isFinite(value)) return true;
  const written = decimal(source);
  const read = decimal(String(value));
  if (written.digits === read.digits && (written.exponent === read.exponent || written.digits === "")) return false;
  if (value === 0 || written.digits.length > DIGITS_OF_A_DOUBLE) return true;
  const scientific = /^-?\d(?:\.\d+)?[eE]/.test(source);
  return !scientific && Math.abs(value) > Number.MAX_SAFE_INTEGER;
}

/** The significant digits of a number, and the power of ten of the last digit. */
function decimal(number: string): { readonly digits: string; readonly exponent: number } {
  const { whole = "", fraction = "", exponent = "0" } = NUMBER.exec(number)?.groups ?? {};
  const all = `${whole}${fraction}`.replace(/^0+/, "");
  const digits = all.replace(/0+$/, "");
  return { digits, exponent: Number(exponent) - fraction.length + all.length - digits.length };
}

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}…` : text);
