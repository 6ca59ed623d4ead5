import { ConfigurationError } from "./errors.ts";
import { jsonText } from "./exact-json.ts";

/** Rejects keys that an options object does not have: a misspelt option must not be ignored in silence. */
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

export interface IntegerRange {
  readonly minimum: number;
  readonly maximum: number;
  /** How to fix a value outside the range. */
  readonly fix: string;
}

/** A whole number within its range. */
export function integerOption(option: string, value: unknown, { minimum, maximum, fix }: IntegerRange): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  const range = maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  throw new ConfigurationError(`${option} must be a whole number ${range}, but is ${show(value)}: ${fix}`);
}

export function booleanOption(option: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new ConfigurationError(`${option} must be true or false, but is ${show(value)}`);
}

/** A value as a message shows it. */
export function show(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" && typeof value !== "string") return String(value);
  try {
    return jsonText(value) ?? String(value);
  } catch {
    // Circular, or a toJSON that throws: its tag is all that can be said.
    return Object.prototype.toString.call(value);
  }
}
