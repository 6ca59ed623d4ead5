import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items } from "../../shared/index.ts";
import { type Distribution, durations } from "../harness/task-durations.ts";

const {
  SLUICE_BENCH_DISTRIBUTION = "constant",
  SLUICE_BENCH_ITEMS = "100",
  SLUICE_BENCH_MEAN = "100",
  SLUICE_BENCH_REFILL = "on",
} = process.env;

/** Each task waits for the number of milliseconds that is its item. */
export default defineWorkflow<number>({
  name: "durations",
  source: items(
    durations(SLUICE_BENCH_DISTRIBUTION as Distribution, Number(SLUICE_BENCH_ITEMS), Number(SLUICE_BENCH_MEAN)),
  ),
  task: (milliseconds, { signal }) => setTimeout(milliseconds, undefined, { signal }),
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeout: { seconds: 60 },
  refill: SLUICE_BENCH_REFILL === "on",
});
