import { existsSync } from "node:fs";
import { join } from "node:path";
import { defineWorkflow, items } from "../../../shared/index.ts";

/** Every fourth of twenty items fails until a file `fixed` is there. The last of them fails even then. */
export default defineWorkflow({
  name: "fixable",
  source: items(Array.from({ length: 20 }, (_, index) => index)),
  async task(item) {
    const fixed = existsSync(join(process.env.MARKERS ?? ".", "fixed"));
    if (item % 4 === 3 && (!fixed || item === 19)) throw new TypeError(`no route to host-${item}`);
  },
  concurrency: 4,
  tasksPerEnvironment: 2,
  retry: { attempts: 2, backoff: { base: { milliseconds: 10 }, cap: { milliseconds: 10 } } },
});
