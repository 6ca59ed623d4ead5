import { defineWorkflow, items } from "../../shared/index.ts";

const COUNT = Number(process.env.SLUICE_BENCH_ITEMS ?? 10_000);

function* numbers() {
  for (let number = 0; number < COUNT; number++) yield number;
}

/** Tasks that do nothing: what is left is the price of a task. `SLUICE_BENCH_ITEMS` of them. */
export default defineWorkflow({
  name: "noop",
  source: items(numbers),
  task: () => {},
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeout: { seconds: 5 },
});
