import { SLUICE } from "../harness/names.ts";
import type { Row } from "../harness/row.ts";

const COUNTS = [10_000, 100_000, 1_000_000] as const;
const [FEW, , MOST] = COUNTS;

/** The megabytes by which the peak may grow from the fewest results to the most. */
const MOST_GROWTH = 30;

const nameOf = (items: number) => `results-memory ${items.toLocaleString("en-US")}`;

/** What `sluice run` holds in memory as the number of results grows. */
export const resultsMemory: Row = {
  name: "results-memory",
  cases: (scale) =>
    (scale === "quick" ? [FEW] : COUNTS).map((items) => ({
      name: nameOf(items),
      rounds: 1,
      sides: [{ name: SLUICE, program: "cli-run.ts", input: { items, workflow: "bench/workflows/noop-results.ts" } }],
      metrics: [
        { key: "producerMb", label: "producer", unit: "MB" },
        { key: "consumerMb", label: "consumer", unit: "MB" },
      ],
    })),
  marks: (["producer", "consumer"] as const).map((name) => ({
    label: `${name} with results: memory at 1,000,000 items less that at 10,000`,
    unit: "MB",
    atMost: MOST_GROWTH,
    measured: (measured) => {
      const [few, most] = [FEW, MOST].map((items) => measured.median(`${nameOf(items)} ${name}`, SLUICE));
      return few === undefined || most === undefined ? undefined : most - few;
    },
  })),
  plots: [],
};
