import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

/** Of twelve items, the sixth is dead. */
export default defineWorkflow({
  name: "small",
  source: items(Array.from({ length: 12 }, (_, index) => index + 1)),
  task(item) {
    if (item === 6) throw new PermanentError("six");
  },
  concurrency: 4,
});
