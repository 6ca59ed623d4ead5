import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { partitionCount, sampleStatement, sqlPartitions } from "../../../shared/sources/sql-partitions.ts";
import { seeds } from "../../helpers/seeds.ts";
import { distinct, partitionsCoverTables, Rows, walk } from "./sql-tables.ts";

describe("sqlPartitions", () => {
  // The gate tries 10,000.
  test("cover a table exactly, whichever keys the sample has", async () => {
    await partitionsCoverTables(seeds(500));
  });

  test("refuse equal keys as a serial walk does", async () => {
    await fc.assert(
      fc.asyncProperty(distinct, fc.nat(), fc.integer({ min: 1, max: 6 }), async (keys, nth, parts) => {
        const twice = keys[nth % Math.max(keys.length, 1)];
        if (twice === undefined) return;
        const rows = new Rows([...keys, twice], 2);
        const results = await Promise.allSettled(sqlPartitions(keys, parts).map(({ cursor }) => walk(rows, cursor)));
        expect(results.filter(({ status }) => status === "rejected")).toHaveLength(1);
      }),
      { numRuns: seeds(300) },
    );
  });

  test("are about equally large, also if one tenant has nearly all rows", () => {
    const keys = Array.from({ length: 10_000 }, (_, n) => [n < 9_900 ? "large" : `small${n}`, String(n)] as const);
    const sample = keys.filter((_, index) => index % 50 === 0);
    const partitions = sqlPartitions(sample, 10);
    expect(partitions).toHaveLength(10);
    const ends = partitions.map(({ cursor }) => (cursor as { upTo?: readonly string[] }).upTo);
    const sizes = ends.map((end) => (end === undefined ? keys.length : keys.findIndex(([, n]) => n === end[1]) + 1));
    for (const [index, size] of sizes.entries()) {
      expect(size - (sizes[index - 1] ?? 0)).toBeGreaterThan(500);
      expect(size - (sizes[index - 1] ?? 0)).toBeLessThan(1_500);
    }
  });

  test("leave long keys out, so that each cursor fits into the ledger", () => {
    const sample = [["a"], ["b".repeat(2_000)], ["c"]];
    expect(sqlPartitions(sample, 5).map(({ cursor }) => cursor)).toEqual([
      { upTo: ["a"] },
      { after: ["a"], upTo: ["c"] },
      { after: ["c"] },
    ]);
    expect(sqlPartitions([], 5)).toEqual([{ id: "0", cursor: {} }]);
  });

  test("are one for each 100,000 rows, and at most 100", () => {
    expect(partitionCount({ rows: 0, blocks: 0 })).toBe(1);
    expect(partitionCount({ rows: 250_000, blocks: 1 })).toBe(3);
    expect(partitionCount({ rows: 1e9, blocks: 1 })).toBe(100);
    expect(partitionCount({ rows: undefined, blocks: 20_000 })).toBe(10);
  });

  test("come from a sample that reads only some blocks of a large table", () => {
    const rows = { from: '"t"', key: ["a", "b"] };
    expect(sampleStatement(rows, { blocks: 1_000_000, parts: 100 })).toContain("tablesample system (0.3)");
    expect(sampleStatement(rows, { blocks: 10, parts: 100 })).toContain("tablesample system (100)");
  });
});
