import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineWorkflow, items } from "../../../shared/index.ts";

/** Its one task says in which process it runs, and blocks that process for ever. */
export default defineWorkflow({
  name: "spinning",
  source: items([1]),
  task: () => {
    writeFileSync(join(process.env.MARKERS ?? "", "spins-in"), String(process.pid));
    for (;;);
  },
  concurrency: 2,
  tasksPerEnvironment: 1,
  timeout: { seconds: 600 },
});
