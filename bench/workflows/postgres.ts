import { defineWorkflow, postgresRows } from "../../shared/index.ts";

/** The rows of a table of the benchmark, whose URL is in `SLUICE_BENCH_DATABASE`. */
export default defineWorkflow({
  name: "postgres",
  source: postgresRows({
    connect: { url: ({ SLUICE_BENCH_DATABASE = "" }) => SLUICE_BENCH_DATABASE },
    table: "bench",
    key: "id",
    partitions: 1,
  }),
  task: () => {},
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeout: { seconds: 5 },
});
