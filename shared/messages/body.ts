import { LARGEST_MESSAGE_BYTES } from "../aws/quotas.ts";
import { ItemError, toError } from "../base/errors.ts";
import { type ExactText, jsonText, toExactText } from "../base/exact-json.ts";
import { describeLoss } from "./lossy-values.ts";

/** The bytes that stay free in every message, so that its dead letter has room for the history of failures. */
export const HISTORY_BYTES = 65_536;

/** The largest envelope that is sent to the queue, in bytes. */
export const LARGEST_ENVELOPE_BYTES = LARGEST_MESSAGE_BYTES - HISTORY_BYTES;

// The two characters that JSON does not escape and SQS refuses.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
const REFUSED_BY_SQS = /[\uFFFE\uFFFF]/g;

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that SQS refuses.
const ALL_REFUSED_BY_SQS = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;

/** Makes a text valid as a message attribute: U+FFFD replaces each character that SQS refuses. */
export function toAttributeText(text: string): string {
  return text.toWellFormed().replace(ALL_REFUSED_BY_SQS, "\uFFFD");
}

/** Turns JSON text into a message body that SQS accepts. The body has the same meaning as JSON. */
export function toBody(json: string): string {
  return json.replace(REFUSED_BY_SQS, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
}

/**
 * Turns a value into JSON text from which bigints can be read back as bigints. The function refuses values that JSON
 * would drop or change.
 *
 * @throws {ItemError} `INVALID_ITEM`: the value, or something in it, is not JSON. The message says where.
 */
export function toItemJson(value: unknown): ExactText {
  let text: ExactText | undefined;
  try {
    text = toExactText(value, refuseLossyValues);
  } catch (thrown) {
    const cause = toError(thrown);
    if (cause instanceof ItemError) throw cause;
    throw new ItemError("INVALID_ITEM", `the item is not JSON-serialisable: ${cause.message}`, { cause });
  }
  if (text === undefined) {
    throw new ItemError("INVALID_ITEM", `the item is not JSON-serialisable: it is ${typeof value}`);
  }
  return text;
}

/**
 * Turns a value into ordinary JSON: bigints become plain integers.
 *
 * @throws {ItemError} As `toItemJson`.
 */
export function toJson(value: unknown): string {
  const { json, bigints } = toItemJson(value);
  return bigints ? (jsonText(value) ?? json) : json;
}

// `value` is the result of `toJSON` if the value has that method, so a Date is already a string. `this` is the object or
// the array that holds the value.
function refuseLossyValues(this: unknown, key: string, value: unknown): void {
  const lossy = describeLoss(value, this, key);
  if (lossy === undefined) return;
  const where = key === "" ? "it" : `"${key}"`;
  throw new ItemError("INVALID_ITEM", `the item is not JSON-serialisable: ${where} is ${lossy}`);
}
