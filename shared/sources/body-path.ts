import { ConfigurationError, SourceError } from "../base/errors.ts";
import { show } from "../base/options.ts";

/**
 * The place of a value in a JSON body. Three forms: keys joined by dots, a list of keys (for a key that contains a
 * dot), or a function that receives the body and returns the value.
 *
 * @example `"meta.next"`, `["@odata.nextLink"]`, `(body) => body.links.find(({ rel }) => rel === "next")?.href`
 */
export type Path = string | readonly string[] | ((body: unknown) => unknown);

/**
 * The place of a value in a response: in the body, or in a header.
 *
 * @example `"meta.total"`, `{ header: "X-WP-TotalPages" }`
 */
export type Field = Path | { readonly header: string };

/** A response in which a field is looked up. */
export interface Answer {
  readonly headers: Headers;
  /** The body, parsed from JSON. `undefined` if the response has no body (204). */
  readonly body: unknown;
}

/** Returns the value at a path, or `undefined` if the path does not exist. */
export function valueAt(value: unknown, path: Path): unknown {
  if (typeof path === "function") return path(value);
  let found = value;
  for (const key of keysOf(path)) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/**
 * Describes why `valueAt` found nothing at a path: which key is missing, and which keys exist instead. If a key exists
 * that differs only in its spelling, such as `next_cursor` for `nextCursor`, the text suggests it.
 */
export function describeAbsent(value: unknown, path: Path): string {
  if (typeof path === "function") return `${nameOf(path)} is undefined; the body: ${keysSeen(value)}`;
  const keys = keysOf(path);
  let found: unknown = value;
  let depth = 0;
  for (const key of keys) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) break;
    found = (found as Record<string, unknown>)[key];
    depth++;
  }
  const holder = depth === 0 ? "the body" : keys.slice(0, depth).join(" > ");
  const wanted = spelling(keys[depth] ?? "");
  const present = typeof found === "object" && found !== null ? Object.keys(found) : [];
  const meant = present.find((key) => spelling(key) === wanted);
  const suggestion = meant === undefined ? "" : ` (is ${JSON.stringify(meant)} meant?)`;
  return `${nameOf(path)} is absent; ${holder}: ${keysSeen(found)}${suggestion}`;
}

/** Returns the value of a field, or `undefined` if the field does not exist. */
export function fieldOf(answer: Answer, field: Field): unknown {
  if (isHeader(field)) return answer.headers.get(field.header) ?? undefined;
  return valueAt(answer.body, field);
}

/**
 * Returns the count in a field.
 *
 * @throws {SourceError} The field does not hold a whole number of at least 0.
 */
export function numberOf(answer: Answer, field: Field): number {
  const value = fieldOf(answer, field);
  // Headers are text, and some APIs write numbers as text in the body, too.
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw new SourceError(`${nameOf(field)} must hold a count, but is ${show(value)}: ${keysSeen(answer.body)}`);
}

/**
 * Returns the boolean in a field. The texts `"true"` and `"false"` count as booleans.
 *
 * @throws {SourceError} The field holds anything else.
 */
export function booleanOf(answer: Answer, field: Field): boolean {
  const value = fieldOf(answer, field);
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw new SourceError(`${nameOf(field)} must be true or false, but is ${show(value)}: ${keysSeen(answer.body)}`);
}

/** The name of a field for messages. */
export function nameOf(field: Field): string {
  if (typeof field === "function") return "the value that the function returned for the body";
  if (isHeader(field)) return `the header ${field.header}`;
  return `the field ${keysOf(field).join(" > ")}`;
}

/** Describes a value by its type and its keys, so that the reader of a message can find the right key. */
export function keysSeen(value: unknown): string {
  if (Array.isArray(value)) return `it is a list of ${value.length}`;
  if (typeof value !== "object" || value === null) return `it is ${cut(show(value), 60)}`;
  const keys = Object.keys(value);
  if (keys.length === 0) return "it is an object without keys";
  return `it is an object with the keys ${cut(keys.join(", "), 300)}`;
}

/** @throws {ConfigurationError} The value is not a path. */
export function checkPath(option: string, path: unknown): void {
  if (typeof path === "function") return;
  const keys = typeof path === "string" ? path.split(".") : path;
  const valid = Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === "string" && key !== "");
  if (valid) return;
  throw new ConfigurationError(
    `${option} must be a path in the body, but is ${show(path)}: write keys joined by dots, such as "meta.next", ` +
      "a list of keys, or a function of the body",
  );
}

/** @throws {ConfigurationError} The value is neither a path nor a header. */
export function checkField(option: string, field: unknown): void {
  if (typeof field === "object" && field !== null && "header" in field) {
    if (typeof field.header === "string" && field.header !== "") return;
    throw new ConfigurationError(
      `${option}.header must be the name of a header, but is ${show(field.header)}: write a name, such as "X-Total-Count"`,
    );
  }
  checkPath(option, field);
}

/** Returns the keys of a path that is not a function. */
export function keysOf(path: string | readonly string[]): readonly string[] {
  return typeof path === "string" ? path.split(".") : path;
}

function isHeader(field: Field): field is { readonly header: string } {
  return typeof field === "object" && "header" in field;
}

const spelling = (key: string): string => key.replaceAll(/[^\p{L}\p{N}]/gu, "").toLowerCase();

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
