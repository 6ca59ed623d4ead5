import { appendFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { defineWorkflow, items } from "../../../shared/index.ts";

const marker = (name: string) => join(process.env.MARKERS ?? ".", name);

/** How many attempts may go on in all, as the file `allowed` says. Without the file, all of them. */
const allowed = () => (existsSync(marker("allowed")) ? Number(readFileSync(marker("allowed"), "utf8")) : Infinity);

/** How many attempts have gone on so far: each writes a byte. */
const begun = () => (existsSync(marker("begun")) ? statSync(marker("begun")).size : 0);

/** Takes about four seconds. Every tenth item fails at its first attempt. A file may hold the attempts back: see `allowed`. */
export default defineWorkflow({
  name: "steady",
  source: items(Array.from({ length: 300 }, (_, id) => id)),
  async task(id, { attempt, signal }) {
    while (begun() >= allowed()) await setTimeout(20, undefined, { signal });
    appendFileSync(marker("begun"), ".");
    await setTimeout(100);
    if (Number(id) % 10 === 0 && attempt === 1) throw new Error("not yet");
  },
  concurrency: 8,
  tasksPerEnvironment: 4,
  timeout: { minutes: 5 },
  retry: { backoff: { base: { milliseconds: 0 } } },
});
