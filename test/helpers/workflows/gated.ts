import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

const marker = (name: string) => join(process.env.MARKERS ?? ".", name);

/**
 * The first ten items are settled at once, one of them dead. Each of the others tells that it has begun, and waits for the
 * gate. So the messages must be delivered in order: see `CliWorld.deliverInOrder`.
 */
export default defineWorkflow({
  name: "gated",
  source: items(Array.from({ length: 100 }, (_, index) => index)),
  async task(item, { signal }) {
    if (item === 3) throw new PermanentError("three");
    if (item < 10) return;
    writeFileSync(marker(`begun-${item}`), "");
    while (!existsSync(marker("open"))) await setTimeout(20, undefined, { signal });
  },
  concurrency: 4,
  tasksPerEnvironment: 2,
  timeout: { minutes: 5 },
  // Who is killed lets go of its messages at once.
  refill: false,
});
