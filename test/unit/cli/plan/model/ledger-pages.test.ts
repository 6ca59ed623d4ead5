import fc from "fast-check";
import { expect, test } from "vitest";
import {
  countLedgerPages,
  itemsOfSourcePage,
  ledgerPages,
  sourcePagesOfPartition,
} from "../../../../../cli/plan/model/ledger-pages.ts";
import { toSource } from "../../../../../shared/index.ts";
import { chunks } from "../../../../../shared/producer/chunks.ts";

const START = { cursor: undefined, loop: undefined, skip: 0, items: 0 };

/** The sizes of the pages that the producer writes for a source. */
async function producedPages(items: number, itemsPerSourcePage: number): Promise<readonly number[]> {
  const source = toSource({
    readPage: (cursor) => {
      const from = Number(cursor ?? 0);
      const to = Math.min(items, from + itemsPerSourcePage);
      return { items: Array.from({ length: to - from }, () => 1), next: to < items ? to : undefined };
    },
  });
  const { signal } = new AbortController();
  const reading = { signal, warn: () => {}, now: () => 0, onWait: () => {} };
  const sizes: number[] = [];
  for await (const chunk of chunks(source, START, reading)) if (chunk.items.length > 0) sizes.push(chunk.items.length);
  return sizes;
}

test("the model of the plan divides pages of a source as the producer does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 1_500 }), fc.integer({ min: 1, max: 700 }), async (items, itemsPerSourcePage) => {
      const shape = { items, itemsPerSourcePage, partitions: 1 };
      const modelled = Array.from({ length: sourcePagesOfPartition(shape) }, (_, page) =>
        ledgerPages(itemsOfSourcePage(shape, page), page === 0),
      ).flat();
      const produced = await producedPages(items, itemsPerSourcePage);
      expect(modelled).toEqual(produced);
      expect(countLedgerPages(shape)).toBe(produced.length);
    }),
    { numRuns: 100 },
  );
});

test("the pages of the ledger are counted for all partitions, each of which begins with a small page", () => {
  expect(countLedgerPages({ items: 1_000, itemsPerSourcePage: 200, partitions: 1 })).toBe(6);
  expect(countLedgerPages({ items: 8_000, itemsPerSourcePage: 100, partitions: 20 })).toBe(20 * 5);
  expect(countLedgerPages({ items: 60, itemsPerSourcePage: 100, partitions: 2 })).toBe(2);
  expect(countLedgerPages({ items: 0, itemsPerSourcePage: 1, partitions: 1 })).toBe(0);
});
