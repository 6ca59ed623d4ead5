import { defineWorkflow, items } from "../../shared/index.ts";

const COUNT = Number(process.env.SLUICE_BENCH_ITEMS ?? 10_000);

/** With the row's other fields, a result has about 200 bytes. */
const FILLER = "x".repeat(150);

function* numbers() {
  for (let number = 0; number < COUNT; number++) yield number;
}

/** As `noop.ts`, with results. */
export default defineWorkflow({
  name: "noop-results",
  source: items(numbers),
  task: (number) => ({ number, text: FILLER }),
  results: true,
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeout: { seconds: 5 },
});
