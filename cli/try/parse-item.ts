import { ConfigurationError, toError } from "../../shared/base/errors.ts";
import { parseJson, UnsafeNumberError } from "../../shared/base/exact-json.ts";

/**
 * The item of an option `--item`. A large integer becomes a bigint, so no number is altered.
 *
 * @throws {ConfigurationError} The text is not JSON, or has a number that JavaScript would alter.
 */
export function parseItem(text: string): unknown {
  try {
    return parseJson(text, "bigint");
  } catch (cause) {
    if (cause instanceof UnsafeNumberError) throw new ConfigurationError(`--item: ${cause.message}`, { cause });
    throw new ConfigurationError(
      `--item is not JSON: ${toError(cause).message}. Write an object as --item '{"id":"1"}', and text as --item '"text"'`,
      { cause },
    );
  }
}
