/**
 * Describes whatever was thrown, without running any of its code where that can fail.
 *
 * A task throws what it likes: errors of another realm, objects whose getters throw, revoked proxies. Every place that
 * reads a caught value goes through `toError` first. The error that `toError` returns can be read without care: its
 * `name`, `message` and `stack` are strings, and reading them runs no code of the task.
 */

import { inspect, types } from "node:util";

/** How much of a value that is no error is shown. */
const INSPECTED = {
  // Neither `toJSON`, `toString`, `[inspect.custom]`, getters nor the traps of a proxy run.
  customInspect: false,
  getters: false,
  showProxy: false,
  depth: 3,
  maxArrayLength: 100,
  maxStringLength: 10_000,
  breakLength: Number.POSITIVE_INFINITY,
  compact: true,
} as const;

/** A plain object that is nested no deeper is shown as JSON. */
const LARGEST_JSON_DEPTH = 5;

/** Causes below an error, and errors of an `AggregateError`, whose messages are shown. */
const MOST_CAUSES = 3;

/** Longer texts are cut here before anything copies them. Callers cut them further, to what they have room for. */
const LONGEST_TEXT_CHARACTERS = 1_000_000;

/** Properties that decide how an error is treated, and that `toError` guarantees to be readable. */
const READ = ["name", "message", "code", "cause", "errors"] as const;

const TEXTS: readonly (string | symbol)[] = ["name", "message", "stack"];

const nativeStackGetter = Object.getOwnPropertyDescriptor(new Error(), "stack")?.get;

const UNREADABLE = Symbol("unreadable");

/** What an error says, as text. */
export interface ThrownDescription {
  readonly name: string;
  /** With the messages of its causes: "fetch failed" alone says nothing. */
  readonly message: string;
  /** Empty if the error has no stack. */
  readonly stack: string;
}

/**
 * What was thrown, as an `Error` that can be read without care. An ordinary error is returned as it is, so that its
 * class is kept. Any other is copied: its texts and its own plain properties.
 *
 * It never throws.
 *
 * @example toError(undefined).message // "thrown: undefined (a value that is not an Error)"
 */
export function toError(thrown: unknown): Error {
  if (isPlainError(thrown)) return thrown;
  if (isErrorLike(thrown)) return copyOf(thrown);
  // A stack would point here, not to the culprit.
  return makeError("NonError", describeNonError(thrown), "");
}

/** The texts of what was thrown. It never throws. */
export function describeThrown(thrown: unknown): ThrownDescription {
  const error = toError(thrown);
  return { name: error.name, message: withCauses(error), stack: error.stack ?? "" };
}

/** Any value as text, without running code of it: JSON where it is plain data. It never throws. */
export function toText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "function") return "[object Function]";
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return isPlainData(value, LARGEST_JSON_DEPTH) ? JSON.stringify(value) : inspect(value, INSPECTED);
  } catch {
    return "[an object that cannot be shown]";
  }
}

/** Whether JSON shows a value as it is, and runs nothing of it: no getter, no proxy, no `toJSON`, nothing deep. */
function isPlainData(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null)
    return ["string", "number", "boolean"].includes(typeof value) || value === null;
  if (depth === 0 || types.isProxy(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype) return false;
  if ("toJSON" in prototype) return false;
  return Object.entries(Object.getOwnPropertyDescriptors(value)).every(
    ([property, descriptor]) =>
      (property === "length" && Array.isArray(value)) ||
      ("value" in descriptor && isPlainData(descriptor.value, depth - 1)),
  );
}

function describeNonError(thrown: unknown): string {
  return typeof thrown === "string"
    ? shorten(thrown)
    : `thrown: ${shorten(toText(thrown))} (a value that is not an Error)`;
}

/** Whether all that is read of an error is data of its own or of its classes: no getter, no proxy, no other realm. */
function isPlainError(thrown: unknown): thrown is Error {
  try {
    if (!types.isNativeError(thrown) || !(thrown instanceof Error)) return false;
    const missing = new Set<string>(READ);
    for (let holder: object | null = thrown; holder !== null; holder = Object.getPrototypeOf(holder)) {
      if (types.isProxy(holder)) return false;
      for (const property of missing) {
        const descriptor = Object.getOwnPropertyDescriptor(holder, property);
        if (descriptor === undefined) continue;
        if (!("value" in descriptor)) return false;
        missing.delete(property);
      }
    }
    return isText(thrown.name) && isText(thrown.message) && hasPlainStack(thrown);
  } catch {
    return false;
  }
}

function hasPlainStack(error: Error): boolean {
  const descriptor = Object.getOwnPropertyDescriptor(error, "stack");
  if (descriptor === undefined || "value" in descriptor) return isText(descriptor?.value ?? "");
  // V8 makes the text when it is first read. An `Error.prepareStackTrace` of the task may throw, or return anything.
  return descriptor.get === nativeStackGetter && isText(error.stack);
}

// With room for what `shorten` adds.
const isText = (value: unknown): boolean => typeof value === "string" && value.length <= LONGEST_TEXT_CHARACTERS + 100;

/** Whether a value is an error, of this realm or another. It never throws. */
export function isErrorLike(thrown: unknown): thrown is object {
  try {
    return types.isNativeError(thrown) || thrown instanceof Error;
  } catch {
    // A revoked proxy, or one whose trap throws.
    return false;
  }
}

function copyOf(thrown: object): Error {
  const name = read(thrown, "name");
  const message = read(thrown, "message");
  const stack = read(thrown, "stack");
  const copy = makeError(
    name === UNREADABLE || name === undefined ? className(thrown) : toText(name),
    message === UNREADABLE ? "(the error's message cannot be read)" : toText(message ?? ""),
    typeof stack === "string" ? stack : "",
  );
  for (const [property, value] of ownData(thrown)) define(copy, property, value);
  for (const property of READ.slice(2)) {
    const value = read(thrown, property);
    if (value !== UNREADABLE && value !== undefined) define(copy, property, value);
  }
  return copy;
}

function makeError(name: string, message: string, stack: string): Error {
  const error = new Error(shorten(message));
  define(error, "name", shorten(name));
  define(error, "stack", shorten(stack));
  return error;
}

function define(error: Error, property: string | symbol, value: unknown): void {
  const enumerable = property !== "cause" && !TEXTS.includes(property);
  Object.defineProperty(error, property, { value, writable: true, configurable: true, enumerable });
}

/** Own properties that are data, symbols among them, beside the texts. */
function ownData(thrown: object): readonly [string | symbol, unknown][] {
  try {
    return Reflect.ownKeys(thrown).flatMap((property): [string | symbol, unknown][] => {
      const descriptor = Object.getOwnPropertyDescriptor(thrown, property);
      const isData = descriptor !== undefined && "value" in descriptor;
      return isData && !TEXTS.includes(property) ? [[property, descriptor.value]] : [];
    });
  } catch {
    return [];
  }
}

/** The name of an error's class, for one that does not tell its own. */
function className(thrown: object): string {
  const made = read(thrown, "constructor");
  const name = typeof made === "function" ? read(made, "name") : undefined;
  return typeof name === "string" && name !== "" ? name : "Error";
}

function read(object: object, property: string): unknown {
  try {
    return (object as Record<string, unknown>)[property];
  } catch {
    return UNREADABLE;
  }
}

function shorten(text: string): string {
  return text.length <= LONGEST_TEXT_CHARACTERS
    ? text
    : `${text.slice(0, LONGEST_TEXT_CHARACTERS)}… (${text.length} characters)`;
}

function withCauses(error: Error): string {
  const messages = [error.message];
  let latest = error;
  for (let depth = 0; depth < MOST_CAUSES; depth++) {
    const cause = causeOf(latest);
    if (cause === undefined) break;
    latest = toError(cause);
    messages.push(latest.message);
  }
  return messages.filter((message) => message !== "").join(": ");
}

/** What made an error happen: its cause, or the errors that an `AggregateError` holds, as one; `undefined` for none. */
function causeOf(error: Error & { readonly errors?: unknown }): unknown {
  const { cause, errors } = error;
  if (cause !== undefined && cause !== null) return cause;
  // `Array.isArray` throws for a revoked proxy.
  if (types.isProxy(errors) || !Array.isArray(errors) || errors.length === 0) return undefined;
  const shown = Array.from({ length: Math.min(errors.length, MOST_CAUSES) }, (_, position) => {
    const { name, message } = toError(read(errors, String(position)));
    return message === "" ? name : message;
  });
  const more = errors.length - shown.length;
  return makeError("Error", shown.join("; ") + (more > 0 ? `; and ${more} more` : ""), "");
}
