import { ITEMS_PER_PAGE } from "../base/items-per-page.ts";
import { integerOption } from "../base/options.ts";

/**
 * Checks the option `pageSize` of a source that divides its items into pages itself.
 *
 * @returns the page size in items. Default: the largest page size that the ledger can store.
 * @throws {ConfigurationError} The value is not a whole number from 1 to the largest page size.
 */
export function pageSizeOption(pageSize: unknown): number {
  return integerOption("pageSize", pageSize ?? ITEMS_PER_PAGE, {
    minimum: 1,
    maximum: ITEMS_PER_PAGE,
    fix: "leave it out, unless pages must be small because the items are large",
  });
}
