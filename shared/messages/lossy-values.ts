import { types } from "node:util";

/**
 * Says what JSON would lose of a value silently; `undefined` where JSON keeps it, or says how it is written.
 *
 * JSON keeps the own enumerable fields of an object and nothing else. So instances pass whose data is in own fields, such
 * as the rows of a database driver. Refused are the built-in classes whose data is elsewhere, and every instance of which
 * nothing would be left.
 *
 * @param value The value, after its `toJSON` was called.
 * @param holder What holds the value, from before its `toJSON` was called.
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
      // JSON leaves it out of an object, which says the same; in an array it would become null.
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
    // A Buffer has a toJSON, but what it returns is no Buffer when it is read again.
    const isBuffer = (value as { type?: unknown }).type === "Buffer" && ArrayBuffer.isView(before(holder, key));
    return isBuffer ? "binary data (keep it as base64 text)" : undefined;
  }
  if (Array.isArray(value)) return undefined;
  const known = describeBuiltIn(value);
  if (known !== undefined) return known;
  if (types.isNumberObject(value) || types.isStringObject(value) || types.isBooleanObject(value)) return undefined;
  // A plain object of another realm, such as of node:vm.
  if (Object.getPrototypeOf(prototype) === null) return undefined;
  if (Object.keys(value).length > 0) return undefined;
  return `an instance of ${classOf(prototype)} without own fields, of which JSON keeps nothing`;
}

function describeBuiltIn(value: object): string | undefined {
  // Such as a DOMException: Node's own test knows those of other realms, and instanceof those of subclasses by hand.
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
