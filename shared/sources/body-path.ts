import { ConfigurationError, SourceError } from "../base/errors.ts";
import { show } from "../base/options.ts";

/**
 * Where a value stands in a JSON body: keys joined by dots (`"meta.next"`), a list of keys if one of them has a dot
 * (`["@odata.nextLink"]`), or a function of the body.
 */
export type Path = string | readonly string[] | ((body: unknown) => unknown);

/** A value of an answer: in its body, or in a header (`{ header: "X-WP-TotalPages" }`). */
export type Field = Path | { readonly header: string };

/** What a field is looked up in. */
export interface Answer {
  readonly headers: Headers;
  /** The body, parsed from JSON. `undefined` if the answer has none (204). */
  readonly body: unknown;
}

/** The value at a path; `undefined` if there is none. */
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
 * Why `valueAt` found nothing at a path: the first key that is missing, and the fields that are there instead. Names the
 * field that is meant where only its spelling differs, such as `next_cursor` for `nextCursor`.
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

/** The value of a field; `undefined` if there is none. */
export function fieldOf(answer: Answer, field: Field): unknown {
  if (isHeader(field)) return answer.headers.get(field.header) ?? undefined;
  return valueAt(answer.body, field);
}

/** The number in a field. */
export function numberOf(answer: Answer, field: Field): number {
  const value = fieldOf(answer, field);
  // A header is text, and some bodies hold numbers as text, too.
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw new SourceError(`${nameOf(field)} should hold a count, but is ${show(value)}: ${keysSeen(answer.body)}`);
}

/** The boolean in a field. */
export function booleanOf(answer: Answer, field: Field): boolean {
  const value = fieldOf(answer, field);
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw new SourceError(`${nameOf(field)} should be true or false, but is ${show(value)}: ${keysSeen(answer.body)}`);
}

/** A field as a message names it. */
export function nameOf(field: Field): string {
  if (typeof field === "function") return "what the function took from the body";
  if (isHeader(field)) return `the header ${field.header}`;
  return `the field ${keysOf(field).join(" > ")}`;
}

/** What an object offers, so that a message can help to find the right key. */
export function keysSeen(value: unknown): string {
  if (Array.isArray(value)) return `it is a list of ${value.length}`;
  if (typeof value !== "object" || value === null) return `it is ${cut(show(value), 60)}`;
  const keys = Object.keys(value);
  if (keys.length === 0) return "it is an object without keys";
  return `it is an object with the keys ${cut(keys.join(", "), 300)}`;
}

/** @throws {ConfigurationError} It is no path. */
export function checkPath(option: string, path: unknown): void {
  if (typeof path === "function") return;
  const keys = typeof path === "string" ? path.split(".") : path;
  const valid = Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === "string" && key !== "");
  if (valid) return;
  throw new ConfigurationError(
    `${option} must be a path in the body, but is ${show(path)}: give keys joined by dots, such as "meta.next", ` +
      "a list of keys, or a function of the body",
  );
}

/** @throws {ConfigurationError} It is neither a path nor a header. */
export function checkField(option: string, field: unknown): void {
  if (typeof field === "object" && field !== null && "header" in field) {
    if (typeof field.header === "string" && field.header !== "") return;
    throw new ConfigurationError(
      `${option}.header must be a header's name, but is ${show(field.header)}: give one, such as "X-Total-Count"`,
    );
  }
  checkPath(option, field);
}

/** The keys of a path that is no function. */
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
