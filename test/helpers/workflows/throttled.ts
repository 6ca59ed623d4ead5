import { checkResponse, defineWorkflow, items } from "../../../shared/index.ts";

/** As the README shows it, against a service that refuses what is too much. */
export default defineWorkflow({
  name: "throttled",
  source: items(Array.from({ length: 60 }, (_, number) => number)),
  task: async (number, { signal }) => {
    const response = checkResponse(await fetch(`${process.env.SERVICE}/items/${number}`, { signal }));
    return await response.text();
  },
  concurrency: 20,
  tasksPerEnvironment: 10,
  retry: { attempts: 1, backoff: { base: { seconds: 1 }, cap: { seconds: 2 } } },
});
