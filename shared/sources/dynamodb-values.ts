import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { TypedItem } from "../aws/scan-requests.ts";
import { type ExactJson, parseJson, type UnsafeNumbers } from "../base/exact-json.ts";

/**
 * An item of DynamoDB as JSON. Numbers have up to 38 digits in DynamoDB, so a number that JavaScript would change is kept
 * as `unsafeNumbers` says. Binary values become base64 text, and sets become lists in the order in which DynamoDB sends
 * them.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
 *
 * @throws {Error} A number is refused. The message names its attribute.
 */
export function plainItem(item: TypedItem, unsafeNumbers: UnsafeNumbers): { readonly [name: string]: ExactJson } {
  return mapOf(item, (value, name) => plainValue(value, unsafeNumbers, name));
}

/** An item as DynamoDB's own JSON, with the type of each value. It loses nothing. Binary values are base64 text. */
export function typedItem(item: TypedItem): { readonly [name: string]: ExactJson } {
  return mapOf(item, typedValue);
}

/** An item as a text for people, whatever types it has. */
export const typedText = (item: TypedItem): string =>
  JSON.stringify(item, (_, value: unknown) => (value instanceof Uint8Array ? base64(value) : value));

/** `Object.fromEntries` also keeps an attribute that is called `__proto__`. */
const mapOf = (map: TypedItem, convert: (value: AttributeValue, name: string) => ExactJson) =>
  Object.fromEntries(Object.entries(map).map(([name, value]) => [name, convert(value, name)]));

function plainValue(value: AttributeValue, unsafeNumbers: UnsafeNumbers, path: string): ExactJson {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return plainNumber(value.N, unsafeNumbers, path);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.NULL !== undefined) return null;
  if (value.M !== undefined) return mapOf(value.M, (each, name) => plainValue(each, unsafeNumbers, `${path}.${name}`));
  if (value.L !== undefined) return value.L.map((each, index) => plainValue(each, unsafeNumbers, `${path}[${index}]`));
  if (value.B !== undefined) return base64(value.B);
  if (value.SS !== undefined) return value.SS;
  if (value.NS !== undefined) return value.NS.map((each) => plainNumber(each, unsafeNumbers, path));
  if (value.BS !== undefined) return value.BS.map(base64);
  throw unknownType(path);
}

function typedValue(value: AttributeValue, path: string): ExactJson {
  if (value.M !== undefined) return { M: mapOf(value.M, (each, name) => typedValue(each, `${path}.${name}`)) };
  if (value.L !== undefined) return { L: value.L.map((each, index) => typedValue(each, `${path}[${index}]`)) };
  if (value.B !== undefined) return { B: base64(value.B) };
  if (value.BS !== undefined) return { BS: value.BS.map(base64) };
  if (value.S !== undefined) return { S: value.S };
  if (value.N !== undefined) return { N: value.N };
  if (value.BOOL !== undefined) return { BOOL: value.BOOL };
  if (value.NULL !== undefined) return { NULL: value.NULL };
  if (value.SS !== undefined) return { SS: value.SS };
  if (value.NS !== undefined) return { NS: value.NS };
  throw unknownType(path);
}

/** DynamoDB writes numbers as JSON does. */
function plainNumber(text: string, unsafeNumbers: UnsafeNumbers, path: string): number | bigint | string {
  try {
    return parseJson(text, unsafeNumbers) as number | bigint | string;
  } catch (cause) {
    throw new Error(`${path}: ${(cause as Error).message}`, { cause });
  }
}

const unknownType = (path: string): Error => new Error(`${path} has a type that this version of Sluice does not know`);

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** The key of an item as JSON, for a cursor. Keys are texts, numbers or binary values. */
export type StoredKey = Readonly<Record<string, { readonly [type in "S" | "N" | "B"]?: string }>>;

/** @throws {Error} The item lacks an attribute of the key, or the attribute cannot be part of a key. */
export function storedKey(item: TypedItem, names: readonly string[]): StoredKey {
  return Object.fromEntries(
    names.map((name) => {
      const { S, N, B } = item[name] ?? {};
      if (S !== undefined) return [name, { S }];
      if (N !== undefined) return [name, { N }];
      if (B !== undefined) return [name, { B: base64(B) }];
      throw new Error(`an item lacks the attribute ${JSON.stringify(name)} of its key`);
    }),
  );
}

/** The opposite of `storedKey`. */
export function keyOfStored(key: StoredKey): TypedItem {
  return Object.fromEntries(
    Object.entries(key).map(([name, { S, N, B }]): [string, AttributeValue] => {
      if (B !== undefined) return [name, { B: Buffer.from(B, "base64") }];
      return [name, S === undefined ? { N: N ?? "" } : { S }];
    }),
  );
}
