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
