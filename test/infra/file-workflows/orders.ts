import { defineWorkflow, fileLines } from "../../../shared/index.ts";

/** Reads a file that is packed with its producer. */
export default defineWorkflow({
  name: "orders",
  source: fileLines(({ ORDERS_FILE }) => ORDERS_FILE ?? "test/infra/file-workflows/data/orders.jsonl", {
    format: "jsonl",
    pageSize: 2,
  }),
  task: () => {},
  concurrency: 10,
  environment: ["ORDERS_FILE"],
});
