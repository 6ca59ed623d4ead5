import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { defineWorkflow, dynamoDbScan } from "../../../shared/index.ts";

/** A workflow that writes down its items. */
export default defineWorkflow({
  name: "dynamodb-scan",
  source: dynamoDbScan({ table: "customers", unsafeNumbers: "bigint" }),
  task: (item) => {
    const text = JSON.stringify(item, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
    appendFileSync(join(process.env.MARKERS ?? ".", "items.jsonl"), `${text}\n`);
  },
  concurrency: 4,
});
