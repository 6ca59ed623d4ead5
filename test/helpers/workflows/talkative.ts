import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

const open = join(process.env.MARKERS ?? ".", "open");

/** Logs in every way that a task can, and waits at its last item until the gate is open. */
export default defineWorkflow({
  name: "talkative",
  source: items(["quiet", "says", "prints", "dies", "waits"]),
  async task(item, { logger, signal }) {
    if (item === "says") logger.warn("something is odd", { color: "red", error: new RangeError("too far") });
    if (item === "prints") console.log("from console.log");
    if (item === "dies") throw new PermanentError("no such thing");
    if (item !== "waits") return;
    while (!existsSync(open)) await setTimeout(20, undefined, { signal });
    logger.info("the gate is open");
  },
  concurrency: 4,
  timeout: { minutes: 5 },
});
