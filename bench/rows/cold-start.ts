import { EMPTY, POWERTOOLS, SLUICE } from "../harness/names.ts";
import type { Case, Row } from "../harness/row.ts";

const METRICS = [
  { key: "milliseconds", label: "total", unit: "ms", baseline: EMPTY },
  { key: "load", label: "until loaded", unit: "ms" },
  { key: "invocation", label: "first invocation", unit: "ms" },
  { key: "bundleKb", label: "bundle", unit: "KB" },
] as const;

/** From the start of a process until its first invocation is done. */
export const coldStart: Row = {
  name: "cold-start",
  cases(scale) {
    const starts = scale === "quick" ? 1 : 9;
    const caseOf = (name: string, handlers: Readonly<Record<string, string>>): Case => ({
      name: `cold-start ${name}`,
      rounds: scale === "quick" ? 1 : 3,
      sides: Object.entries(handlers).map(([side, handler]) => ({
        name: side,
        program: "cold-start.ts",
        input: { handler, starts },
      })),
      metrics: METRICS,
    });
    return [
      caseOf("producer", { [SLUICE]: "producer", [EMPTY]: "empty" }),
      caseOf("consumer", { [SLUICE]: "consumer", [POWERTOOLS]: "powertools", [EMPTY]: "empty" }),
    ];
  },
  marks: [],
  plots: [
    {
      file: "performance-cold-start.svg",
      title: "From a process's start until its first invocation is done",
      panels: [
        {
          title: "total",
          unit: "ms",
          groups: ["producer", "consumer"].map((name) => ({ label: name, row: `cold-start ${name} total` })),
        },
      ],
    },
  ],
};
