import { setTimeout } from "node:timers/promises";
import { checkResponse, defineWorkflow, items } from "../../../shared/index.ts";

/** Tells the service when each attempt starts. */
export default defineWorkflow({
  name: "paced",
  source: items(Array.from({ length: 60 }, (_, number) => number)),
  task: async (_, { signal }) => {
    const startedAt = Date.now();
    await setTimeout(20, undefined, { signal });
    await checkResponse(await fetch(`${process.env.SERVICE}/${startedAt}`, { signal })).text();
  },
  concurrency: 20,
  tasksPerEnvironment: 10,
  rateLimit: { perSecond: 10, burst: 2 },
});
