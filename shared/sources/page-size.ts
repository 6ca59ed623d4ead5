import { ITEMS_PER_PAGE } from "../base/items-per-page.ts";
import { integerOption } from "../base/options.ts";

/** The `pageSize` of a source that cuts its pages itself: by default as many items as one page of the ledger holds. */
export function pageSizeOption(pageSize: unknown): number {
  return integerOption("pageSize", pageSize ?? ITEMS_PER_PAGE, {
    minimum: 1,
    maximum: ITEMS_PER_PAGE,
    mend: "leave it out, unless pages must be small because items are large",
  });
}
