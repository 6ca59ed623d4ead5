import { POWERTOOLS, SLUICE, SLUICE_BATCHES } from "../harness/names.ts";
import type { Mark, Row } from "../harness/row.ts";
import { DISTRIBUTIONS } from "../harness/task-durations.ts";

const METRICS = [
  { key: "wallSeconds", label: "wall", unit: "s", baseline: SLUICE },
  { key: "gigabyteSeconds", label: "billed", unit: "GB-s", baseline: SLUICE },
  { key: "busyPercent", label: "slots busy", unit: "%" },
] as const;

const rowOf = (distribution: string, metric: string) => `durations ${distribution} ${metric}`;

const busy = (distribution: string): Mark => ({
  label: `slots busy, ${distribution} durations`,
  unit: "%",
  atLeast: 95,
  measured: (results) => results.median(rowOf(distribution, "slots busy"), SLUICE),
});

const saved = (metric: "wall" | "billed"): Mark => ({
  label: `exponential durations, ${metric}: refill off / Sluice`,
  atLeast: 2.5,
  measured: (results) => results.ratio(rowOf("exponential", metric), SLUICE_BATCHES),
});

/** Tasks that take differently long: what a slot that waits for the rest of its batch costs. */
export const durations: Row = {
  name: "durations",
  cases(scale) {
    const [items, meanMilliseconds] = scale === "quick" ? [300, 100] : [1_500, 250];
    return DISTRIBUTIONS.map((distribution) => {
      const workflow = {
        workflow: "bench/workflows/durations.ts",
        variables: {
          SLUICE_BENCH_DISTRIBUTION: distribution,
          SLUICE_BENCH_ITEMS: String(items),
          SLUICE_BENCH_MEAN: String(meanMilliseconds),
        },
      };
      const batches = { ...workflow, variables: { ...workflow.variables, SLUICE_BENCH_REFILL: "off" } };
      return {
        name: `durations ${distribution}`,
        rounds: scale === "quick" ? 1 : 3,
        sides: [
          { name: SLUICE, program: "sluice.ts", input: workflow },
          { name: SLUICE_BATCHES, program: "sluice.ts", input: batches },
          { name: POWERTOOLS, program: "powertools.ts", input: { distribution, items, meanMilliseconds } },
        ],
        metrics: METRICS,
      };
    });
  },
  marks: [saved("wall"), saved("billed"), busy("exponential"), busy("lognormal")],
  plots: [
    {
      file: "performance-durations.svg",
      title: "Tasks that take differently long, 50 in flight",
      panels: METRICS.map(({ label, unit }) => ({
        title: label,
        unit,
        groups: DISTRIBUTIONS.map((distribution) => ({ label: distribution, row: rowOf(distribution, label) })),
      })),
    },
  ],
};
