import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { defineWorkflow } from "../../../shared/index.ts";

const marker = (name: string) => join(process.env.MARKERS ?? ".", name);

/** Five pages of ten items. The producer that reads the fourth page tells its process id, and waits for the gate. */
export default defineWorkflow({
  name: "slow-source",
  source: {
    async readPage(cursor, { signal }) {
      const page = Number(cursor ?? 0);
      if (page === 3) {
        writeFileSync(marker(`reading-${process.pid}`), "");
        signal.addEventListener("abort", () => writeFileSync(marker(`aborted-${process.pid}`), ""));
        while (!existsSync(marker("open"))) await setTimeout(20, undefined, { signal });
      }
      return {
        items: Array.from({ length: 10 }, (_, index) => page * 10 + index),
        next: page < 4 ? page + 1 : undefined,
      };
    },
  },
  task: () => undefined,
  concurrency: 2,
});
