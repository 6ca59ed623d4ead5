import { defineWorkflow, items } from "../../shared/index.ts";

const COUNT = Number(process.env.SLUICE_BENCH_ITEMS ?? 10_000);

function* numbers() {
  for (let number = 0; number < COUNT; number++) yield number;
}

/** Tasks that do nothing, so that only the cost of Sluice itself is measured. `SLUICE_BENCH_ITEMS` is their number. */
export default defineWorkflow({
  name: "noop",
  source: items(numbers),
  task: () => {},
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeout: { seconds: 5 },
});
