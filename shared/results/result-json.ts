import type { StandardSchemaV1 } from "@standard-schema/spec";
import { PermanentError } from "../base/task-errors.ts";
import { toError } from "../base/thrown.ts";
import { describeLoss } from "../messages/lossy-values.ts";

/** The most bytes of a result's JSON text. A larger result belongs in a store of its own, such as a bucket. */
export const LARGEST_RESULT_BYTES = 5 * 1_024 * 1_024;

const TOO_LARGE =
  `more than the ${LARGEST_RESULT_BYTES} bytes that a result may have: store it where it belongs, for example in a ` +
  "bucket, and return its key";

/** A result cannot be kept. Another attempt would return the same, so the item fails permanently. */
export class InvalidResultError extends PermanentError {
  override readonly name = "InvalidResultError";
}

/**
 * Turns what a task returned into JSON text.
 *
 * @param schema The workflow's schema of a result. Its output is the result.
 * @throws {InvalidResultError} The result is not JSON, does not match the schema, or is too large. The message says what
 *   to return instead.
 */
export async function toResultJson(returned: unknown, schema: StandardSchemaV1 | undefined): Promise<string> {
  const json = toJsonText(schema === undefined ? returned : await validated(returned, schema));
  // A character takes at least one byte. So the bytes of a text that is too long anyway are not counted.
  const isTooLarge = json.length > LARGEST_RESULT_BYTES || Buffer.byteLength(json) > LARGEST_RESULT_BYTES;
  if (isTooLarge) throw new InvalidResultError(`the result has ${Buffer.byteLength(json)} bytes, ${TOO_LARGE}`);
  return json;
}

async function validated(returned: unknown, schema: StandardSchemaV1): Promise<unknown> {
  let result: StandardSchemaV1.Result<unknown>;
  try {
    result = await schema["~standard"].validate(returned);
  } catch (cause) {
    throw new InvalidResultError("the schema of the result threw while it validated the result", { cause });
  }
  if (result.issues === undefined) return result.value;
  const lines = result.issues.map(({ path = [], message }) => {
    const where = path.map((segment) => String(typeof segment === "object" ? segment.key : segment)).join(".");
    return where === "" ? message : `${where}: ${message}`;
  });
  throw new InvalidResultError(`the result fails the workflow's schema (result): ${lines.join("; ")}`);
}

function toJsonText(value: unknown): string {
  try {
    // A task that returns nothing has the result null.
    return JSON.stringify(value, refuseLossyValues) ?? "null";
  } catch (thrown) {
    if (thrown instanceof InvalidResultError) throw thrown;
    const cause = toError(thrown);
    throw new InvalidResultError(`the result is not JSON: ${whyNot(cause)}`, { cause });
  }
}

function whyNot(cause: Error): string {
  if (cause.message.includes("circular structure")) {
    return "it contains itself (a cycle). Return a plain object with only the fields that you need";
  }
  if (cause instanceof RangeError && /string length/i.test(cause.message)) return `its text has ${TOO_LARGE}`;
  return cause.message;
}

// `this` is the object or the array that holds the value.
function refuseLossyValues(this: unknown, key: string, value: unknown): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value)) return value;
      break;
    case "undefined":
      if (key === "") return value;
      break;
    case "bigint":
      throw notJson(key, "a BigInt", "return String(value), or Number(value) if it is within ±(2^53 − 1)");
  }
  if (isResponse(value)) {
    throw notJson(key, "a Response", "return its content, for example `await response.json()`");
  }
  const lossy = describeLoss(value, this, key);
  if (lossy === undefined) return value;
  throw notJson(key, lossy, "return text, finite numbers, booleans, null, and lists and plain objects of these");
}

function notJson(key: string, what: string, fix: string): InvalidResultError {
  const where = key === "" ? "it" : `"${key}"`;
  return new InvalidResultError(`the result is not JSON: ${where} is ${what}. Instead, ${fix}`);
}

const isResponse = (value: unknown): boolean => value instanceof Response;
