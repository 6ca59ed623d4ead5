import { test } from "vitest";
import { partitionsCoverTables } from "../../unit/sources/sql-tables.ts";

test("the partitions of 10,000 skewed tables yield exactly the rows of a serial walk", async () => {
  await partitionsCoverTables(10_000);
});
