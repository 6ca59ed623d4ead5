import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

/** Every item dies, which is tolerated of two. */
export default defineWorkflow({
  name: "hopeless",
  source: items(Array.from({ length: 300 }, (_, index) => index)),
  task: () => Promise.reject(new PermanentError("no")),
  concurrency: 2,
  toleratedFailures: { count: 2 },
});
