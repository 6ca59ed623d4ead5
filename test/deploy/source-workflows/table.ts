import { defineWorkflow, dynamoDbScan } from "../../../shared/index.ts";

/** The items of a table of the user, scanned in segments by several producers. */
export default defineWorkflow({
  name: "table",
  source: dynamoDbScan<{ readonly id: number }>({ table: ({ CUSTOMERS_TABLE = "" }) => CUSTOMERS_TABLE, segments: 4 }),
  task: ({ id }) => id,
  concurrency: 4,
  producers: 2,
  results: true,
  environment: ["CUSTOMERS_TABLE"],
});
