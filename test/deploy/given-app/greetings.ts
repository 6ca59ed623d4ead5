import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

/** 20 items, of which each tenth fails permanently. */
export default defineWorkflow({
  name: "greetings",
  source: items(Array.from({ length: 20 }, (_, number) => number)),
  task: (number) => {
    if (number % 10 === 0) throw new PermanentError(`item ${number} is refused`);
    return { greeting: `Hello, ${number}!` };
  },
  concurrency: 2,
  timeout: { seconds: 20 },
  results: true,
});
