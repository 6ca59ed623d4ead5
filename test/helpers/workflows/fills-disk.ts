import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items } from "../../../shared/index.ts";

const directory = process.env.MARKERS ?? ".";
const filled = join(directory, "filled");

/** The task of one item fills the disk of the state directory, once. Each task takes a while, so the run has not ended then. */
function fillDisk(): void {
  if (existsSync(filled)) return;
  const filler = join(directory, ".sluice", "filler");
  try {
    for (;;) appendFileSync(filler, Buffer.alloc(4_096));
  } catch (error) {
    writeFileSync(filled, String(error));
  }
}

export default defineWorkflow<number>({
  name: "fills-disk",
  source: items(Array.from({ length: 60 }, (_, index) => index)),
  task: async (index) => {
    if (index === 20) fillDisk();
    await setTimeout(50);
    return { index, text: "x".repeat(1_000) };
  },
  results: true,
  concurrency: 4,
  tasksPerEnvironment: 2,
});
