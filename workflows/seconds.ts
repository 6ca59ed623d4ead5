import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items } from "../shared/index.ts";

/** The reference workflow of the benchmarks: 1,000 tasks of one second, 50 in flight. The ideal wall time is 20.0 s. */
export default defineWorkflow({
  name: "seconds",
  source: items(Array.from({ length: 1_000 }, (_, number) => number)),
  task: (_, { signal }) => setTimeout(1_000, undefined, { signal }),
  concurrency: 50,
  // The tasks only wait, so two environments have room for all of them.
  tasksPerEnvironment: 25,
  timeout: { seconds: 5 },
});
