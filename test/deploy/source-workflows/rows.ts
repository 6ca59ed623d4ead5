import { defineWorkflow, postgresRows } from "../../../shared/index.ts";

/** The rows of a table in the user's PostgreSQL, in partitions that several producers read. */
export default defineWorkflow({
  name: "rows",
  source: postgresRows<{ readonly id: number }>({
    connect: { url: ({ DATABASE_URL = "" }) => DATABASE_URL },
    table: "customers",
    key: "id",
    partitions: 4,
  }),
  task: ({ id }) => id,
  concurrency: 4,
  producers: 2,
  results: true,
  environment: ["DATABASE_URL"],
});
