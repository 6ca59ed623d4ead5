import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items } from "../../../shared/index.ts";

/** Takes about four seconds. Every tenth item fails at its first attempt. */
export default defineWorkflow({
  name: "steady",
  source: items(Array.from({ length: 300 }, (_, id) => id)),
  async task(id, { attempt }) {
    await setTimeout(100);
    if (Number(id) % 10 === 0 && attempt === 1) throw new Error("not yet");
  },
  concurrency: 8,
  tasksPerEnvironment: 4,
  timeout: { seconds: 1 },
  retry: { backoff: { base: { milliseconds: 0 } } },
});
