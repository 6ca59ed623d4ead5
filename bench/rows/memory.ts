import { SLUICE } from "../harness/names.ts";
import type { Row } from "../harness/row.ts";

const COUNTS = [10_000, 100_000, 1_000_000] as const;

const nameOf = (items: number) => `memory ${items.toLocaleString("en-US")}`;

/** What `sluice run` holds in memory and in its queue, as the source grows. */
export const memory: Row = {
  name: "memory",
  cases: (scale) =>
    (scale === "quick" ? [COUNTS[0]] : COUNTS).map((items) => ({
      name: nameOf(items),
      rounds: 1,
      sides: [{ name: SLUICE, program: "cli-run.ts", input: { items } }],
      metrics: [
        { key: "producerMb", label: "producer", unit: "MB" },
        { key: "consumerMb", label: "consumer", unit: "MB" },
        { key: "backlog", label: "backlog", unit: "messages" },
        { key: "tasksPerSecond", label: "rate", unit: "tasks/s" },
      ],
    })),
  marks: [],
  plots: [
    {
      file: "performance-memory.svg",
      title: "Peak memory of `sluice run` with no-op tasks",
      panels: (["producer", "consumer"] as const).map((label) => ({
        title: label === "producer" ? "the producer" : "each consumer",
        unit: "MB",
        groups: COUNTS.map((items) => ({
          label: `${items.toLocaleString("en-US")} items`,
          row: `${nameOf(items)} ${label}`,
        })),
      })),
    },
  ],
};
