import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

/** Numbers with their squares. Every fiftieth fails until it is redriven. */
export default defineWorkflow({
  name: "results",
  source: items(Array.from({ length: 450 }, (_, number) => number)),
  task: (number, { redrives }) => {
    if (number % 50 === 7 && redrives === 0) throw new PermanentError(`${number} fails until it is redriven`);
    return { number, square: number ** 2, note: number === 3 ? "=1+1" : "plain" };
  },
  results: { format: "csv", include: ["attempts"] },
  concurrency: 20,
  tasksPerEnvironment: 10,
  timeout: { seconds: 5 },
});
