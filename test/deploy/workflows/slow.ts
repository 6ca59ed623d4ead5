import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items } from "../../../shared/index.ts";

/** Five minutes of work, to be cancelled. */
export default defineWorkflow({
  name: "slow",
  source: items(Array.from({ length: 600 }, (_, number) => number)),
  task: (_, { signal }) => setTimeout(1_000, undefined, { signal }),
  concurrency: 2,
  timeout: { seconds: 5 },
});
