import { defineWorkflow, sqliteRows } from "../../../shared/index.ts";

/** The rows of a SQLite file that is packed with the producer. */
export default defineWorkflow({
  name: "products",
  source: sqliteRows<{ readonly id: number }>({
    file: ({ PRODUCTS_FILE = "" }) => PRODUCTS_FILE,
    table: "products",
    key: "id",
  }),
  task: ({ id }) => id,
  concurrency: 4,
  results: true,
  environment: ["PRODUCTS_FILE"],
});
