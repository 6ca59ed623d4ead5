import { setTimeout } from "node:timers/promises";
import { defineWorkflow } from "../../shared/index.ts";

const { SLUICE_BENCH_ITEMS: COUNT = 10_000, SLUICE_BENCH_PARTITIONS: PARTITIONS = 1 } = process.env;
const TASK_MILLISECONDS = Number(process.env.SLUICE_BENCH_TASK_MILLISECONDS ?? 0);
const PAGE_MILLISECONDS = Number(process.env.SLUICE_BENCH_PAGE_MILLISECONDS ?? 0);
const PAGE_ITEMS = 100;

/** How many items each partition has. */
const SHARE = Number(COUNT) / Number(PARTITIONS);

/**
 * Pages of 100 items, each read in `SLUICE_BENCH_PAGE_MILLISECONDS`, from `SLUICE_BENCH_PARTITIONS` partitions of the same size.
 * At most eight of them are read at the same time.
 */
export default defineWorkflow({
  name: "pages",
  source: {
    partitions: () =>
      Array.from({ length: Number(PARTITIONS) }, (_, part) => ({ id: `${part}`, cursor: part * SHARE })),
    async readPage(cursor, { signal, partition }) {
      const first = Number(cursor ?? 0);
      const end = partition === undefined ? Number(COUNT) : (Number(partition.id) + 1) * SHARE;
      const next = Math.min(end, first + PAGE_ITEMS);
      if (PAGE_MILLISECONDS > 0) await setTimeout(PAGE_MILLISECONDS, undefined, { signal });
      return {
        items: Array.from({ length: next - first }, (_, index) => first + index),
        next: next < end ? next : null,
      };
    },
  },
  producers: Math.min(8, Number(PARTITIONS)),
  task: async () => {
    if (TASK_MILLISECONDS > 0) await setTimeout(TASK_MILLISECONDS);
  },
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeout: { seconds: 5 },
});
