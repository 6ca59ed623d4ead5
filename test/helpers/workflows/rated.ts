import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

/** Eight broken items die at once. One item waits until a file `open` is there, so that the engine works until then. */
export default defineWorkflow({
  name: "rated",
  source: items([...Array.from({ length: 8 }, (_, id) => ({ id, broken: true })), { id: 8, broken: false }]),
  item: z.object({ id: z.int(), broken: z.boolean() }),
  async task({ id, broken }, { signal }) {
    if (broken) throw new PermanentError("the item is broken");
    while (id === 8 && !existsSync(join(process.env.MARKERS ?? ".", "open")))
      await setTimeout(20, undefined, { signal });
  },
  concurrency: 4,
  tasksPerEnvironment: 2,
  timeout: { minutes: 5 },
});
