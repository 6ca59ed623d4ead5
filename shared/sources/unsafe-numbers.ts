import { ConfigurationError } from "../base/errors.ts";
import {
  findUnsafeNumber,
  jsonText,
  UNSAFE_NUMBERS,
  type UnsafeNumbers,
  unsafeNumberText,
} from "../base/exact-json.ts";
import { show } from "../base/options.ts";
import { UnreadableItem } from "./unreadable-item.ts";

/** @throws {ConfigurationError} The value is not one of the three modes. */
export function unsafeNumbersOption(unsafeNumbers: UnsafeNumbers = "refuse"): UnsafeNumbers {
  if (UNSAFE_NUMBERS.includes(unsafeNumbers)) return unsafeNumbers;
  throw new ConfigurationError(
    `unsafeNumbers must be ${UNSAFE_NUMBERS.map((mode) => `"${mode}"`).join(", ")}, but is ${show(unsafeNumbers)}: ` +
      "the option says what Sluice does with a number that JavaScript would alter",
  );
}

/** Returns the items of a page, with an `UnreadableItem` in place of each item that holds an `UnsafeNumber`. */
export function refuseUnsafeNumbers(
  items: readonly unknown[],
  { url }: { readonly url: URL },
  unsafeNumbers: UnsafeNumbers,
): readonly unknown[] {
  return items.map((item, index) => {
    const found = findUnsafeNumber(item);
    if (found === undefined) return item;
    return new UnreadableItem({
      raw: jsonText(item) ?? "",
      error: unsafeNumberText(found.source, found.key, unsafeNumbers),
      // The query is left out, because it may contain a secret.
      at: `${url.origin}${url.pathname}, item ${index + 1} of its page`,
    });
  });
}
