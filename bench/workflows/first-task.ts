import { writeFileSync } from "node:fs";
import { defineWorkflow, items } from "../../shared/index.ts";

const COUNT = 100;
const FILE = process.env.SLUICE_BENCH_FIRST_TASK;

let isFirst = true;

/** Tasks that do nothing. The first task writes its time into the file that `SLUICE_BENCH_FIRST_TASK` names. */
export default defineWorkflow({
  name: "first-task",
  source: items(() => Array.from({ length: COUNT }, (_, number) => number)),
  task: () => {
    if (!isFirst || FILE === undefined) return;
    isFirst = false;
    try {
      writeFileSync(FILE, String(Date.now()), { flag: "wx" });
    } catch {
      // Another execution environment ran the first task.
    }
  },
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeout: { seconds: 5 },
});
