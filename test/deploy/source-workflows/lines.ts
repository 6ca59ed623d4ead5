import { defineWorkflow, fileLines } from "../../../shared/index.ts";

/** The rows of a CSV file that is packed with the producer. */
export default defineWorkflow({
  name: "lines",
  source: fileLines(({ CUSTOMERS_FILE = "" }) => CUSTOMERS_FILE, { format: "csv" }),
  task: ({ id }) => Number(id),
  concurrency: 4,
  results: true,
  environment: ["CUSTOMERS_FILE"],
});
