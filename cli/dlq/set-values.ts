import { setProperty } from "dot-prop";
import { jsonText } from "../../shared/base/exact-json.ts";
import type { Assignment } from "../options/assignment.ts";

/**
 * Returns a copy of an item with values set. The item itself stays unchanged.
 *
 * @throws {TypeError} The item is neither an object nor a list, so nothing in it can be set.
 */
export function setValues(item: unknown, assignments: readonly Assignment[]): unknown {
  if (typeof item !== "object" || item === null) {
    throw new TypeError(
      `--set needs an object or a list, and the item is ${jsonText(item)}: change it with --edit or --transform`,
    );
  }
  const changed = structuredClone(item);
  for (const { path, value } of assignments) setProperty(changed as Record<string, unknown>, path, value);
  return changed;
}

/**
 * The same assignments with texts instead of numbers, booleans and null. `undefined`: there are none of these.
 * In `--set zip=3000` the value is a number, and the user may have meant a text.
 */
export function asTexts(assignments: readonly Assignment[]): readonly Assignment[] | undefined {
  const texts = assignments.map((each) => (isPlain(each.value) ? { ...each, value: String(each.value) } : each));
  return texts.some(({ value }, index) => value !== assignments[index]?.value) ? texts : undefined;
}

/** How to type assignments so that they have these values. */
export function typedAs(assignments: readonly Assignment[]): string {
  return assignments.map(({ path, value }) => `--set '${path}=${jsonText(value)}'`).join(" ");
}

const isPlain = (value: unknown): boolean =>
  value === null || typeof value === "number" || typeof value === "bigint" || typeof value === "boolean";
