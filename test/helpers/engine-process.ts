/**
 * Works on a run until it is killed: `node engine-process.ts <workflow> <root> <run>`. Sends the number of succeeded items
 * to its parent.
 */
import { setTimeout } from "node:timers/promises";
import { startRun, startTestEngine } from "./test-engine.ts";

const [workflow = "", root = "", run = ""] = process.argv.slice(2);
const engine = await startTestEngine(workflow, root);
if ((await engine.runs.find(run)) === undefined) await startRun(engine, workflow, run);
for (;;) {
  const record = await engine.runs.find(run);
  if (record !== undefined) process.send?.((await engine.runs.counts(record)).succeeded);
  await setTimeout(20);
}
