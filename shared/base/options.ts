import { ConfigurationError } from "./errors.ts";
import { jsonText } from "./exact-json.ts";

/**
 * Rejects unknown keys of an options object, so that a misspelt option is not ignored.
 *
 * @param where The name of the object, for the error message.
 * @throws {ConfigurationError} The value is not an object, or it has an unknown key.
 */
export function rejectUnknownKeys(options: object, known: readonly string[], where: string): void {
  if (typeof options !== "object" || options === null) {
    throw new ConfigurationError(
      `${where} must be an object of options (${known.join(", ")}), but is ${show(options)}`,
    );
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw new ConfigurationError(`${where} has the unknown option "${key}": use one of ${known.join(", ")}`);
  }
}

/** The allowed range of a whole number. Both ends are allowed. */
export interface IntegerRange {
  readonly minimum: number;
  readonly maximum: number;
  /** How to fix a value outside the range, for the error message. */
  readonly fix: string;
}

/**
 * Returns a whole number within its range.
 *
 * @throws {ConfigurationError} The value is not a whole number, or it is outside the range.
 */
export function integerOption(option: string, value: unknown, { minimum, maximum, fix }: IntegerRange): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  const range = maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  throw new ConfigurationError(`${option} must be a whole number ${range}, but is ${show(value)}: ${fix}`);
}

/**
 * Returns `true` or `false`.
 *
 * @throws {ConfigurationError} The value is neither.
 */
export function booleanOption(option: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new ConfigurationError(`${option} must be true or false, but is ${show(value)}`);
}

/** A value as text for an error message. This function never throws. */
export function show(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" && typeof value !== "string") return String(value);
  try {
    return jsonText(value) ?? String(value);
  } catch {
    // The value is circular, or its `toJSON` throws. Only its type can be shown.
    return Object.prototype.toString.call(value);
  }
}
