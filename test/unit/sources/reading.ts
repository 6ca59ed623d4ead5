import { fromStoredText, toStoredText } from "../../../shared/base/exact-json.ts";
import type { Cursor, Page, ReadContext, Source } from "../../../shared/sources/index.ts";

export const never = new AbortController().signal;

/** The context of a source that reads, with the warnings it raised. */
export function readContext(signal = never, warnings: string[] = []): ReadContext {
  return { signal, warn: (message) => void warnings.push(message) };
}

/** All pages from a cursor. Each cursor is converted to text and back, as in the ledger. */
export async function pagesOf<Item>(
  source: Source<Item>,
  cursor?: Cursor,
  signal = never,
  warnings: string[] = [],
): Promise<Page<Item>[]> {
  const pages: Page<Item>[] = [];
  for await (const page of source.pages(cursor, readContext(signal, warnings))) pages.push(page);
  return pages.map((page) =>
    page.next === undefined ? page : { ...page, next: fromStoredText(toStoredText(page.next)) as Cursor },
  );
}

export async function itemsOf<Item>(source: Source<Item>, cursor?: Cursor): Promise<Item[]> {
  return (await pagesOf(source, cursor)).flatMap((page) => page.items);
}

/** The pages. Also checks that reading from each cursor yields exactly the pages that follow it. */
export async function restartable<Item>(makeSource: () => Source<Item>): Promise<Page<Item>[]> {
  const pages = await pagesOf(makeSource());
  for (const [index, { next }] of pages.entries()) {
    if (index === pages.length - 1) {
      if (next !== undefined) throw new Error("the last page has a cursor");
      break;
    }
    if (next === undefined) throw new Error(`page ${index} of ${pages.length} has no cursor`);
    const rest = await pagesOf(makeSource(), next);
    if (JSON.stringify(rest) !== JSON.stringify(pages.slice(index + 1))) {
      throw new Error(`another rest from ${JSON.stringify(next)}: ${JSON.stringify(rest)}`);
    }
  }
  return pages;
}
