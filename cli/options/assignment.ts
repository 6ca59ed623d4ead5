import { InvalidArgumentError } from "commander";
import { hasProperty, setProperty } from "dot-prop";
import { type ExactJson, parseJson } from "../../shared/base/exact-json.ts";

/** One `--set path=value`. */
export interface Assignment {
  /** Where in an item: `address.zip`, `tags[0]`. */
  readonly path: string;
  readonly value: ExactJson;
}

/**
 * Collects the values of `--set path=value`. A value that is JSON is used as JSON, any other is a text: `id=5` sets a
 * number, `id=12345678901234567` a bigint, `name=Bern` and `zip="3000"` set texts.
 *
 * @throws {InvalidArgumentError} There is no path, or it leads out of the item, such as `__proto__`.
 */
export function assignment(text: string, before: readonly Assignment[] = []): readonly Assignment[] {
  const [, path, value = ""] = /^\s*([^=]+?)\s*=(.*)$/s.exec(text) ?? [];
  if (path === undefined) {
    throw new InvalidArgumentError("It must be path=value, where path leads into the item: address.zip, tags[0].");
  }
  // `setProperty` ignores __proto__ and similar paths without an error.
  if (!hasProperty(setProperty({}, path, true), path)) throw new InvalidArgumentError(`"${path}" cannot be set.`);
  return [...before, { path, value: asJson(value) }];
}

function asJson(text: string): ExactJson {
  try {
    return parseJson(text, "bigint") as ExactJson;
  } catch {
    return text;
  }
}
