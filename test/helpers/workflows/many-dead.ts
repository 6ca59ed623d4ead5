import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

const marker = (name: string) => join(process.env.MARKERS ?? ".", name);

/** Of 109 items, 108 die at once. The other one tells that it has begun, and waits for the gate. */
export default defineWorkflow({
  name: "many-dead",
  source: items(Array.from({ length: 109 }, (_, index) => index)),
  async task(item, { signal }) {
    if (item < 108) throw new PermanentError("dead");
    writeFileSync(marker(`begun-${item}`), "");
    while (!existsSync(marker("open"))) await setTimeout(20, undefined, { signal });
  },
  concurrency: 4,
  tasksPerEnvironment: 2,
  timeout: { minutes: 5 },
});
