import { existsSync } from "node:fs";
import { join } from "node:path";
import { defineWorkflow, items } from "../../../shared/index.ts";

/** Of twenty items each fourth fails, until the fault is mended; of those, the last fails even then. */
export default defineWorkflow({
  name: "mendable",
  source: items(Array.from({ length: 20 }, (_, index) => index)),
  async task(item) {
    const mended = existsSync(join(process.env.MARKERS ?? ".", "mended"));
    if (item % 4 === 3 && (!mended || item === 19)) throw new TypeError(`no route to host-${item}`);
  },
  concurrency: 4,
  tasksPerEnvironment: 2,
  retry: { attempts: 2, backoff: { base: { milliseconds: 10 }, cap: { milliseconds: 10 } } },
});
