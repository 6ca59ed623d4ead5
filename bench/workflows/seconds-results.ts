import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items } from "../../shared/index.ts";

/** As `workflows/seconds.ts`, with results. */
export default defineWorkflow({
  name: "seconds-results",
  source: items(Array.from({ length: 1_000 }, (_, index) => index)),
  task: async (index, { signal }) => {
    await setTimeout(1_000, undefined, { signal });
    return { index, text: "x".repeat(150) };
  },
  results: true,
  concurrency: 50,
  tasksPerEnvironment: 25,
  timeout: { seconds: 5 },
});
