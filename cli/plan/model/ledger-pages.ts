import { ITEMS_OF_FIRST_PAGE, ITEMS_PER_PAGE } from "../../../shared/base/items-per-page.ts";

/**
 * Into which pages of the ledger the producer divides a page of the source. Returns their sizes.
 *
 * @param isFirst Whether it is the first page of the run, or of a partition.
 */
export function ledgerPages(items: number, isFirst: boolean): readonly number[] {
  const sizes: number[] = [];
  for (let left = items; left > 0; ) {
    const size = Math.min(left, isFirst && sizes.length === 0 ? ITEMS_OF_FIRST_PAGE : ITEMS_PER_PAGE);
    sizes.push(size);
    left -= size;
  }
  return sizes;
}

/** How a source is divided. */
export interface SourceShape {
  readonly items: number;
  /** The items of a page of the source. */
  readonly itemsPerSourcePage: number;
  /** How many partitions there are. They are assumed to have the same number of items. */
  readonly partitions: number;
}

/** How many pages of the source each partition has. A source without items has an empty page. */
export const sourcePagesOfPartition = ({ items, itemsPerSourcePage, partitions }: SourceShape): number =>
  Math.max(1, Math.ceil(items / partitions / itemsPerSourcePage));

/** How many items a page of the source has, counted from 0 in its partition. */
export function itemsOfSourcePage({ items, itemsPerSourcePage, partitions }: SourceShape, page: number): number {
  return Math.min(itemsPerSourcePage, Math.max(0, items / partitions - page * itemsPerSourcePage));
}

/** How many pages the ledger of a run has. */
export function countLedgerPages(shape: SourceShape): number {
  const last = sourcePagesOfPartition(shape) - 1;
  const pagesOf = (page: number) => ledgerPages(itemsOfSourcePage(shape, page), page === 0).length;
  // All pages between the first one and the last one have the same size.
  const between = Math.max(0, last - 1) * ledgerPages(shape.itemsPerSourcePage, false).length;
  return shape.partitions * (pagesOf(0) + between + (last > 0 ? pagesOf(last) : 0));
}
