import { items } from "../shared/index.ts";
import { continueEntry, startEntry } from "../shared/messages/control.ts";
import { Producer } from "../shared/producer/producer.ts";
import type { Workflow } from "../shared/workflow.ts";
import { standIns } from "./stand-ins.ts";

const ITEMS = Array.from({ length: 300 }, (_, item) => item);

/**
 * Pages a source of its own into a queue that there is not, while an environment starts: so the code that the first
 * invocation needs is loaded and compiled by then.
 */
export async function rehearseRun({ limit: _, ...workflow }: Workflow): Promise<void> {
  const producer = new Producer({
    ...standIns(),
    workflow: { ...workflow, source: items(ITEMS), limit: undefined, toleratedFailures: undefined },
    maxBacklog: 2 * ITEMS.length,
  });
  const run = { workflow: workflow.name, run: "rehearsal" };
  const time = { sliceEnd: Number.POSITIVE_INFINITY, signal: new AbortController().signal };
  const start = startEntry({ ...run, requestedAt: new Date().toISOString() });
  for (const { body } of [start, continueEntry({ ...run, hop: 1 })]) {
    await producer.handle({ id: "rehearsal", body, receiveCount: 1 }, time);
  }
}
