import { InvalidArgumentError } from "commander";
import { hasProperty, setProperty } from "dot-prop";
import { type ExactJson, jsonText, parseJson } from "../../shared/base/exact-json.ts";

/** One `--set`: where in an item, and what. */
export interface Assignment {
  readonly path: string;
  readonly value: ExactJson;
}

/**
 * Collects the values of `--set path=value`. A value that is JSON is taken as such, any other is text: `id=5` sets a
 * number, `id=12345678901234567` a bigint, `name=Bern` and `zip="3000"` set texts.
 *
 * @throws {InvalidArgumentError} It has no path, or one that leads out of the item.
 */
export function assignment(text: string, before: readonly Assignment[] = []): readonly Assignment[] {
  const [, path, value = ""] = /^\s*([^=]+?)\s*=(.*)$/s.exec(text) ?? [];
  if (path === undefined) {
    throw new InvalidArgumentError("It must be path=value, where path leads into the item: address.zip, tags[0].");
  }
  // It leaves __proto__ and its like alone, without a word.
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

/**
 * An item with values set. The item itself stays as it is.
 *
 * @throws {TypeError} The item is no object or list, so nothing in it can be set.
 */
export function setValues(item: unknown, assignments: readonly Assignment[]): unknown {
  if (typeof item !== "object" || item === null) {
    throw new TypeError(`nothing can be set in it: it is no object, but ${jsonText(item)}`);
  }
  const changed = structuredClone(item);
  for (const { path, value } of assignments) setProperty(changed as Record<string, unknown>, path, value);
  return changed;
}
