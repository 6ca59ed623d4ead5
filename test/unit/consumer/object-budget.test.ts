import { expect, test } from "vitest";
import { PageGroups } from "../../../shared/consumer/outcomes/page-groups.ts";
import { mostWaiting } from "../../../shared/consumer/outcomes/recording-limits.ts";
import { type PendingResult, ResultWriter } from "../../../shared/results/result-writer.ts";
import { Random } from "../../chaos/random.ts";
import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";

const ITEMS = 10_000;
const ENVIRONMENTS = 5;
const SLOTS = 10;
/** The messages that are in the queue at a time: the default of `maxBacklog`. */
const BACKLOG = 10_000;

interface Success {
  readonly result: PendingResult;
}

/**
 * Records the successes of a run with five environments, which receive the messages in the given order, and counts what
 * was written.
 */
async function record(order: readonly number[], keepsResults: boolean) {
  let updates = 0;
  const store = new MemoryObjectStore();
  const environments = Array.from({ length: ENVIRONMENTS }, (_, environment) => {
    let objects = 0;
    const writer = new ResultWriter({
      store,
      logger: recordingLogger(),
      newId: () => `${environment}-${objects++}`,
    });
    const resultsOf = (groups: readonly { readonly items: readonly Success[] }[]) =>
      groups.flatMap(({ items }) => items.map(({ result }) => result));
    const groups = new PageGroups<Success>(
      (due, waiting) => {
        if (keepsResults) writer.store(resultsOf(due), resultsOf(waiting));
        updates += due.length;
        return due.map(() => Promise.resolve());
      },
      {
        mostWaiting: () => mostWaiting(SLOTS),
        now: () => 0,
        ...(keepsResults && { isReady: ({ result }) => result.stored !== undefined }),
      },
    );
    return { groups, writer };
  });
  const recorded: Promise<void>[] = [];
  for (const [position, item] of order.entries()) {
    const environment = environments[Math.floor(position / SLOTS) % ENVIRONMENTS];
    const page = { run: "run", partition: 0, page: Math.floor(item / 200) };
    const result = environment?.writer.add(page, { epoch: 1, index: item % 200, generation: 0, result: "null" });
    if (result !== undefined) recorded.push(environment?.groups.record({ ...page, epoch: 1 }, { result }) as never);
  }
  for (const { groups } of environments) groups.writeAll();
  await Promise.all(recorded);
  expect(keepsResults ? store.lines("run/") : []).toHaveLength(keepsResults ? ITEMS : 0);
  return { objects: (1_000 * store.objects.size) / ITEMS, updates: (1_000 * updates) / ITEMS };
}

const inOrder = Array.from({ length: ITEMS }, (_, item) => item);

/** SQS delivers the messages that are in the queue in any order. */
function shuffled(): readonly number[] {
  const random = new Random(1);
  const queue: number[] = [];
  const order: number[] = [];
  let next = 0;
  while (order.length < ITEMS) {
    while (queue.length < BACKLOG && next < ITEMS) queue.push(next++);
    const [item = 0] = queue.splice(random.integer(0, queue.length - 1), 1);
    order.push(item);
  }
  return order;
}

test.for([
  ["the source's order", inOrder],
  ["random order", shuffled()],
] as const)("1,000 tasks write at most 45 objects in %s, and hardly more of the ledger", async ([, order]) => {
  const kept = await record(order, true);
  const dropped = await record(order, false);
  expect(kept.objects).toBeLessThan(45);
  expect(kept.objects).toBeGreaterThan(25);
  expect(kept.updates).toBeLessThan(1.1 * dropped.updates);
});
