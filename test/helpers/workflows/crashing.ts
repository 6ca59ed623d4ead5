import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineWorkflow, items } from "../../../shared/index.ts";

/** Whether something happens for the first time, in whatever process. */
function isFirst(what: string): boolean {
  const marker = join(process.env.MARKERS ?? ".", what);
  if (existsSync(marker)) return false;
  writeFileSync(marker, "");
  return true;
}

/** Once an item ends its process, once one blocks it for ever, and one ends it each time. */
export default defineWorkflow({
  name: "crashing",
  source: items([
    "exits once",
    "blocks once",
    "exits each time",
    ...Array.from({ length: 60 }, (_, id) => `good ${id}`),
  ]),
  task(item) {
    if (item === "exits once" && isFirst("exit")) process.exit(3);
    if (item === "blocks once" && isFirst("block")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    if (item === "exits each time") process.exit(4);
  },
  concurrency: 4,
  tasksPerEnvironment: 1,
  timeout: { milliseconds: 500 },
});
