import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items } from "../../../shared/index.ts";

/**
 * More items than the queue takes at once, and the queue takes more than are attempted in the 3 s in which a pause is noticed.
 * Each attempt notes its run in a journal.
 */
export default defineWorkflow({
  name: "crowded",
  source: items(
    Array.from({ length: 160 }, (_, id) => id),
    { pageSize: 20 },
  ),
  async task(_, { run }) {
    appendFileSync(join(process.env.MARKERS ?? ".", "journal"), `${run.id}\n`);
    await setTimeout(200);
  },
  maxBacklog: 100,
  concurrency: 4,
  tasksPerEnvironment: 2,
  timeout: { seconds: 5 },
  overlap: "allow",
});
