import { ConfigurationError } from "./errors.ts";

/** Rejects keys that an options object does not have: a misspelt option must not be ignored in silence. */
export function rejectUnknownKeys(options: object, known: readonly string[], where: string): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw new ConfigurationError(`${where} has the unknown option "${key}": use one of ${known.join(", ")}`);
  }
}

export interface IntegerRange {
  readonly minimum: number;
  readonly maximum: number;
  /** How to mend a value outside the range. */
  readonly mend: string;
}

/** A whole number within its range. */
export function integerOption(option: string, value: unknown, { minimum, maximum, mend }: IntegerRange): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  const range = maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  throw new ConfigurationError(`${option} must be a whole number ${range}, but is ${show(value)}: ${mend}`);
}

/** A value as a message shows it. */
export function show(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number" || value === undefined ? String(value) : JSON.stringify(value);
}
