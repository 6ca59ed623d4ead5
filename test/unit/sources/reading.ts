import { fromStoredText, toStoredText } from "../../../shared/base/exact-json.ts";
import { checkPartitions } from "../../../shared/producer/partition-list.ts";
import type { Cursor, Page, Partition, ReadContext, Source } from "../../../shared/sources/index.ts";

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

/**
 * The items of all partitions of a source, in the order of the list. Cursors are converted to text and back, as in the
 * ledger.
 *
 * @param restartAfter After how many pages of a partition its reading begins anew, from the last cursor. Default: never.
 */
export async function itemsOfPartitions<Item>(
  source: Source<Item>,
  { restartAfter = Number.POSITIVE_INFINITY, warnings = [] as string[] } = {},
): Promise<Item[][]> {
  const partitions = checkPartitions(await source.partitions?.(readContext(never, warnings)));
  const stored = fromStoredText(toStoredText(partitions)) as readonly Partition[];
  const items: Item[][] = [];
  for (const partition of stored) {
    const read: Item[] = [];
    let cursor = partition.cursor;
    for (let ended = false; !ended; ) {
      let pages = 0;
      ended = true;
      for await (const page of source.pages(cursor, { ...readContext(never, warnings), partition })) {
        read.push(...page.items);
        if (page.next === undefined || page.next === null) continue;
        cursor = fromStoredText(toStoredText(page.next)) as Cursor;
        pages += 1;
        if (pages < restartAfter) continue;
        ended = false;
        break;
      }
    }
    items.push(read);
  }
  return items;
}
