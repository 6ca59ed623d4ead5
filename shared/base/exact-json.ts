/**
 * A JSON value whose integers may also be bigints. Sluice writes a bigint as a JSON number and reads it back as a
 * bigint, in messages, cursors and dead letters.
 */
export type ExactJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly ExactJson[]
  | { readonly [key: string]: ExactJson };

/** See `UnsafeNumbers`. */
export const UNSAFE_NUMBERS = ["refuse", "text", "bigint"] as const;

/**
 * What becomes of a number in a JSON text that JavaScript would alter: an integer beyond ±(2^53 − 1), such as
 * `12345678901234567`; a number beyond the range of a double, such as `1e400`; or a fraction with more than 17
 * significant digits.
 *
 * - `"refuse"`: the item becomes a dead letter, `invalid item`, with its text.
 * - `"text"`: the number becomes a string of its digits.
 * - `"bigint"`: an integer becomes a bigint; any other such number is refused.
 *
 * Integers within ±(2^53 − 1) are plain numbers in each case.
 */
export type UnsafeNumbers = (typeof UNSAFE_NUMBERS)[number];

/** A JSON text holds a number that JavaScript would alter. The message names the number and its key. */
export class UnsafeNumberError extends Error {
  override readonly name = "UnsafeNumberError";
}

/** Stands in a parsed JSON document for a number that JavaScript would alter. It is written as the same number. */
export class UnsafeNumber {
  /** The number, as it is in the JSON text. */
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
 * Parses JSON without altering a number. A text without long numbers costs one search more than `JSON.parse`.
 *
 * @throws {UnsafeNumberError} `unsafeNumbers` does not say how to keep a number that JavaScript would alter.
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

/** A JSON document, and whether an `UnsafeNumber` stands in it. */
export interface MarkedJson {
  readonly value: unknown;
  readonly marked: boolean;
}

/**
 * Parses JSON, with an `UnsafeNumber` in the place of each number that `unsafeNumbers` does not keep: for a document of
 * many items, of which one may be refused.
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

/** Says what JavaScript would make of a number, and how to keep it. */
export function unsafeNumberText(source: string, key: string, unsafeNumbers: UnsafeNumbers): string {
  const where = key === "" ? "the value" : JSON.stringify(key);
  const altered = INTEGER.test(source) ? "round" : `read as ${Number(source)}`;
  const fix =
    INTEGER.test(source) && unsafeNumbers === "refuse"
      ? 'set unsafeNumbers to "text" or "bigint" to keep it'
      : 'set unsafeNumbers to "text" to keep it';
  return `${where} is ${shortened(source)}, which JavaScript would ${altered}: ${fix}`;
}

/** A value as JSON, with bigints as JSON numbers. `undefined` where `JSON.stringify` gives none. */
export function jsonText(value: unknown, space?: number): string | undefined {
  try {
    return JSON.stringify(value, undefined, space);
  } catch {
    // A bigint, perhaps. JSON.stringify is several times slower with a replacer.
    return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? rawJson(String(inner)) : inner), space);
  }
}

/** A value as JSON text from which the same value is read again. */
export interface ExactText {
  readonly json: string;
  /** The value holds a bigint: the text must be read by `parseBigints`. */
  readonly bigints?: true;
}

/**
 * Sees each value before it is written, except strings, booleans, bigints and finite numbers, and may throw. `this` is the
 * object or the array that holds it, from before its `toJSON` was called.
 */
export type Inspect = (this: unknown, key: string, value: unknown) => void;

/**
 * A value as JSON text, bigints included. Of a value without bigints it is the text that `JSON.stringify` writes. Of
 * others, each number has a form that tells its type, and every reader of JSON reads the right number: a bigint within
 * ±(2^53 − 1) is written as `5.0`, which JavaScript writes for no number, and a number beyond that as `1e+20`.
 *
 * @returns `undefined` where `JSON.stringify` gives no text.
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

/** A value as JSON text for people to edit, with bigints and numbers in the forms of `toExactText`. */
export function toEditableText(value: unknown): string | undefined {
  return JSON.stringify(value, (_, inner) => toRaw(inner), 2);
}

/** Parses the text that `toExactText` writes of a value with bigints. */
export function parseBigints(json: string): unknown {
  return JSON.parse(json, ((_: string, value: unknown, { source }: { readonly source?: string }) => {
    if (typeof value !== "number" || source === undefined) return value;
    if (source.endsWith(".0")) return BigInt(source.slice(0, -2));
    return Number.isSafeInteger(value) || !INTEGER.test(source) ? value : BigInt(source);
  }) as Reviver);
}

/** Marks a stored text that `parseBigints` must read. No JSON text begins so, and code that does not know it fails. */
const BIGINTS = "bigints:";

/** A value as one text that tells whether it holds bigints: JSON, where it holds none. */
export function toStoredText(value: unknown): string {
  const text = toExactText(value);
  if (text === undefined) throw new TypeError(`${typeof value} is not JSON`);
  return text.bigints === true ? `${BIGINTS}${text.json}` : text.json;
}

/** The value of a text that `toStoredText` wrote. */
export function fromStoredText(text: string): unknown {
  return text.startsWith(BIGINTS) ? parseBigints(text.slice(BIGINTS.length)) : JSON.parse(text);
}

// Only what this finds is parsed number by number: a number begins the text or follows a colon, a comma, a bracket or a
// blank. Digits inside a string, such as those of a hash, seldom do. False alarms cost time, and nothing else.
const MAY_HOLD_UNSAFE_NUMBER = /(?:^|[:,[\s])-?(?:\d{16}|[\d.]{19}|[\d.]+[eE])/;
const INTEGER = /^-?\d+$/;
const NUMBER = /^-?(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:[eE](?<exponent>[+-]?\d+))?$/;

/** With 17 significant digits each double can be told from every other. */
const DIGITS_OF_A_DOUBLE = 17;

type Reviver = (this: unknown, key: string, value: unknown) => unknown;

// The types of the language's library do not know the source text of a number yet, nor raw JSON. Node has both since 22.
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
 * Whether JavaScript alters a number. A fraction is taken for a double that was printed with up to 17 digits:
 * `0.10000000000000001` is 0.1, as C and PHP write it.
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

/** The significant digits of a number, and the power of ten of the last of them. */
function decimal(number: string): { readonly digits: string; readonly exponent: number } {
  const { whole = "", fraction = "", exponent = "0" } = NUMBER.exec(number)?.groups ?? {};
  const all = `${whole}${fraction}`.replace(/^0+/, "");
  const digits = all.replace(/0+$/, "");
  return { digits, exponent: Number(exponent) - fraction.length + all.length - digits.length };
}

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}…` : text);
