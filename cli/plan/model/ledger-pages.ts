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

/** How many pages the ledger of a run has. */
export function countLedgerPages(shape: SourceShape): number {
  const { items, itemsPerSourcePage, partitions } = shape;
  const ofPartition = items / partitions;
  const first = ledgerPages(Math.min(ofPartition, itemsPerSourcePage), true).length;
  const others = (sourcePagesOfPartition(shape) - 1) * ledgerPages(itemsPerSourcePage, false).length;
  return partitions * (first + others);
}
