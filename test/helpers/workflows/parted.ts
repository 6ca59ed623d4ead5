import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { defineWorkflow, PermanentError } from "../../../shared/index.ts";

const REGIONS = ["eu-west", "us-east", "<b>asia</b>"];

/**
 * Three partitions of four items each. The third one cannot be read until a file `repaired` is there. Items wait until a file
 * `open` is there.
 */
export default defineWorkflow({
  name: "parted",
  source: {
    partitions: () => REGIONS.map((id) => ({ id })),
    async readPage(_, { partition }) {
      const isBroken = partition?.id === REGIONS[2] && !existsSync(join(process.env.MARKERS ?? ".", "repaired"));
      if (isBroken) throw new PermanentError("no rights for this region");
      return { items: [1, 2, 3, 4].map((number) => `${partition?.id} ${number}`), next: undefined };
    },
  },
  async task(item, { signal, logger }) {
    while (!existsSync(join(process.env.MARKERS ?? ".", "open"))) await setTimeout(20, undefined, { signal });
    logger.info("greeted", { item });
  },
  producers: 2,
  concurrency: 4,
  tasksPerEnvironment: 2,
  timeout: { minutes: 5 },
});
