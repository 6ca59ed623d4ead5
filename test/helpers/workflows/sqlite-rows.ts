import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { defineWorkflow, sqliteRows } from "../../../shared/index.ts";

/** A workflow that writes down its items. */
export default defineWorkflow({
  name: "sqlite-rows",
  source: sqliteRows({ file: ({ TEST_SQLITE_FILE = "" }) => TEST_SQLITE_FILE, table: "customers", key: "id" }),
  task: (item) => appendFileSync(join(process.env.MARKERS ?? ".", "items.jsonl"), `${JSON.stringify(item)}\n`),
  concurrency: 4,
  environment: ["TEST_SQLITE_FILE"],
});
