import { types } from "node:util";

/**
 * Describes a value that JSON would silently lose or change. It returns `undefined` if JSON keeps the value, or throws for
 * it.
 *
 * JSON keeps only the own enumerable fields of an object. So an instance whose data is in own fields is accepted, such as a
 * row of a database driver. An instance without own fields is refused, and so is an instance of a built-in class that keeps
 * its data elsewhere.
 *
 * @param value The value, after its `toJSON` was called.
 * @param holder The object or the array that holds the value. It still has the value from before `toJSON` was called.
 */
export function describeLoss(value: unknown, holder: unknown, key: string): string | undefined {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? undefined : String(value);
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    case "undefined":
      // In an object, JSON leaves out an undefined field, which means the same. In an array, JSON would write null.
      if (Array.isArray(holder)) return "undefined, in an array";
      return key !== "" && before(holder, key) !== undefined ? "an object whose toJSON returns nothing" : undefined;
    case "object":
      return value === null ? describeNull(before(holder, key)) : describeObjectLoss(value, holder, key);
    default:
      return undefined;
  }
}

const before = (holder: unknown, key: string): unknown => (holder as Record<string, unknown>)[key];

const describeNull = (original: unknown): string | undefined =>
  original !== null && types.isDate(original) ? "an invalid Date" : undefined;

function describeObjectLoss(value: object, holder: unknown, key: string): string | undefined {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    // A Buffer has a toJSON, but JSON.parse does not make a Buffer of the result.
    const isBuffer = (value as { type?: unknown }).type === "Buffer" && ArrayBuffer.isView(before(holder, key));
    return isBuffer ? "binary data (keep it as base64 text)" : undefined;
  }
  if (Array.isArray(value)) return undefined;
  const known = describeBuiltIn(value);
  if (known !== undefined) return known;
  if (types.isNumberObject(value) || types.isStringObject(value) || types.isBooleanObject(value)) return undefined;
  // The value is a plain object of another realm, for example of node:vm.
  if (Object.getPrototypeOf(prototype) === null) return undefined;
  if (Object.keys(value).length > 0) return undefined;
  return `an instance of ${classOf(prototype)} without own fields, so JSON would keep nothing of it`;
}

function describeBuiltIn(value: object): string | undefined {
  // Node's own test recognises errors of other realms, such as a DOMException. instanceof recognises subclasses made by hand.
  if (types.isNativeError(value) || value instanceof Error) return "an Error, whose message JSON leaves out";
  if (types.isMap(value)) return "a Map";
  if (types.isSet(value)) return "a Set";
  if (types.isPromise(value)) return "a Promise (is an await missing?)";
  if (types.isRegExp(value)) return "a RegExp";
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return "binary data (keep it as base64 text)";
  return undefined;
}

function classOf(prototype: { readonly constructor?: unknown }): string {
  const made = prototype.constructor;
  return typeof made === "function" && made.name !== "" ? made.name : "a class";
}
