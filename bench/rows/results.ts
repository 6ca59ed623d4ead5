import { SLUICE } from "../harness/names.ts";
import type { Row } from "../harness/row.ts";

const WITH_RESULTS = "Sluice, with results";
const WALL = "results seconds wall";
const RATE = "results noop rate";

/** What it costs a run to keep results of 200 bytes. Both sides of a case run in turn. */
export const results: Row = {
  name: "results",
  cases(scale) {
    const tasks = scale === "quick" ? 2_000 : 100_000;
    const variables = { SLUICE_BENCH_ITEMS: String(tasks) };
    const rounds = scale === "quick" ? 1 : 5;
    const side = (name: string, workflow: string, more = {}) => ({
      name,
      program: "sluice.ts",
      input: { workflow, ...more },
    });
    return [
      {
        name: "results seconds",
        rounds,
        sides: [side(SLUICE, "workflows/seconds.ts"), side(WITH_RESULTS, "bench/workflows/seconds-results.ts")],
        metrics: [{ key: "wallSeconds", label: "wall", unit: "s", baseline: SLUICE }],
      },
      {
        name: "results noop",
        rounds,
        sides: [
          side(SLUICE, "bench/workflows/noop.ts", { variables, attempts: false }),
          side(WITH_RESULTS, "bench/workflows/noop-results.ts", { variables, attempts: false }),
        ],
        metrics: [{ key: "tasksPerSecond", label: "rate", unit: "tasks/s", baseline: SLUICE }],
      },
    ];
  },
  marks: [
    {
      label: "`seconds` with results: wall, with / without",
      atMost: 1.002,
      measured: (measured) => measured.ratio(WALL, WITH_RESULTS),
    },
    {
      label: "no-op tasks/s: with results / without",
      atLeast: 0.85,
      measured: (measured) => measured.ratio(RATE, WITH_RESULTS),
    },
  ],
  plots: [],
};
