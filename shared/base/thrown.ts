/**
 * Reads and describes thrown values. The functions in this file never throw, whatever the value is.
 *
 * A task can throw any value: an error of another realm, an object whose getters throw, a revoked proxy. Reading such a
 * value can run code of the task, and that code can throw. So all code that reads a caught value calls `toError` first.
 * The error that `toError` returns is safe to read: its `name`, `message` and `stack` are strings, and reading them
 * runs no code of the task.
 */

import { inspect, types } from "node:util";

/** The options of `inspect` for a value that is not an error. */
const INSPECTED = {
  // With these options `inspect` runs no `toJSON`, `toString`, `[inspect.custom]`, getter or proxy trap.
  customInspect: false,
  getters: false,
  showProxy: false,
  depth: 3,
  maxArrayLength: 100,
  maxStringLength: 10_000,
  breakLength: Number.POSITIVE_INFINITY,
  compact: true,
} as const;

/** A plain object up to this depth is shown as JSON. */
const LARGEST_JSON_DEPTH = 5;

/** The most causes of an error, and the most errors of an `AggregateError`, whose messages are shown. */
const MOST_CAUSES = 3;

/** Longer texts are cut to this length before they are copied. Callers cut them further as needed. */
const LONGEST_TEXT_CHARACTERS = 1_000_000;

/** The properties that decide how an error is handled. `toError` guarantees that they are safe to read. */
const HANDLED_PROPERTIES = ["name", "message", "code", "cause", "errors"] as const;

const TEXTS: readonly (string | symbol)[] = ["name", "message", "stack"];

const nativeStackGetter = Object.getOwnPropertyDescriptor(new Error(), "stack")?.get;

const UNREADABLE = Symbol("unreadable");

/** The texts of an error. */
export interface ThrownDescription {
  readonly name: string;
  /**
   * The message of the error, followed by the messages of its causes: without its cause, an error such as "fetch
   * failed" explains nothing.
   */
  readonly message: string;
  /** Empty if the error has no stack. */
  readonly stack: string;
}

/**
 * Turns a thrown value into an `Error` that is safe to read. An ordinary error is returned unchanged, so that it keeps
 * its class. For any other error, the function copies the texts and the plain properties into a new error. This
 * function never throws.
 *
 * @example toError(undefined).message // "thrown: undefined (a value that is not an Error)"
 */
export function toError(thrown: unknown): Error {
  if (isPlainError(thrown)) return thrown;
  if (isErrorLike(thrown)) return copyOf(thrown);
  // The stack is empty, because it would show this function instead of the code that threw.
  return makeError("NonError", describeNonError(thrown), "");
}

/** The texts of a thrown value. This function never throws. */
export function describeThrown(thrown: unknown): ThrownDescription {
  const error = toError(thrown);
  return { name: error.name, message: withCauses(error), stack: error.stack ?? "" };
}

/** Any value as text, without running its code: as JSON if it is plain data. This function never throws. */
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

/** Whether JSON shows a value completely and runs no code: it has no getter, proxy or `toJSON`, and is not too deep. */
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

/**
 * Whether an error is safe to read as it is: its properties are plain data, without getters, proxies or another realm.
 */
function isPlainError(thrown: unknown): thrown is Error {
  try {
    if (!types.isNativeError(thrown) || !(thrown instanceof Error)) return false;
    const missing = new Set<string>(HANDLED_PROPERTIES);
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
  // V8 creates the text at the first read. A task can set an `Error.prepareStackTrace` that throws or returns another
  // type.
  return descriptor.get === nativeStackGetter && isText(error.stack);
}

// The 100 characters are room for the text that `shorten` adds.
const isText = (value: unknown): boolean => typeof value === "string" && value.length <= LONGEST_TEXT_CHARACTERS + 100;

/** Whether a value is an error, of this realm or of another one. This function never throws. */
export function isErrorLike(thrown: unknown): thrown is object {
  try {
    return types.isNativeError(thrown) || thrown instanceof Error;
  } catch {
    // The value is a revoked proxy, or a proxy whose trap throws.
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
  for (const property of HANDLED_PROPERTIES.slice(2)) {
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

/** The own data properties of an object, including symbols, except name, message and stack. */
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

/** The name of an error's class, for an error without a readable name. */
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

/**
 * The cause of an error: its `cause`, or the errors of an `AggregateError` as one error. `undefined` if it has none.
 */
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
