import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { defineWorkflow, postgresRows } from "../../../shared/index.ts";

/** A workflow that writes down its items. */
export default defineWorkflow({
  name: "postgres-rows",
  source: postgresRows({
    connect: { url: ({ TEST_DATABASE_URL = "" }) => TEST_DATABASE_URL },
    table: "customers",
    key: ["tenant", "id"],
    unsafeNumbers: "bigint",
  }),
  task: (item) => {
    const text = JSON.stringify(item, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
    appendFileSync(join(process.env.MARKERS ?? ".", "items.jsonl"), `${text}\n`);
  },
  concurrency: 4,
  environment: ["TEST_DATABASE_URL"],
});
