import * as z from "zod";
import { defineWorkflow, items, PermanentError, RetryLater } from "../../../shared/index.ts";

/** 300 items: each 100th fails permanently, each 50th other fails each time, each 25th other succeeds after a wait. */
export default defineWorkflow({
  name: "every-minute",
  source: items(Array.from({ length: 300 }, (_, number) => ({ number }))),
  item: z.object({ number: z.int() }),
  task: ({ number }, { waits }) => {
    if (number % 100 === 0) throw new PermanentError(`item ${number} is refused`);
    if (number % 50 === 0) throw new TypeError(`item ${number} fails each time`);
    if (number % 25 === 0 && waits === 0) throw new RetryLater({ seconds: 1 });
  },
  concurrency: 20,
  tasksPerEnvironment: 10,
  timeout: { seconds: 5 },
  retry: { attempts: 2, backoff: { base: { milliseconds: 1 } } },
  schedule: "rate(1 minute)",
});
