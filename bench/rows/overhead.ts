import type { Row } from "../harness/row.ts";

const POWERTOOLS = "middy + Powertools batch";

/** The CPU time that a handler itself takes for a record. */
export const overhead: Row = {
  name: "overhead",
  cases(scale) {
    const records = scale === "quick" ? 10_000 : 50_000;
    const batches = { records, perInvocation: 10 };
    return [
      {
        name: "overhead",
        rounds: scale === "quick" ? 1 : 3,
        sides: [
          { name: "Sluice, batches of 10", program: "overhead.ts", input: { handler: "sluice", ...batches } },
          {
            name: "Sluice, refilled to 1,000",
            program: "overhead.ts",
            input: { handler: "sluice", records, perInvocation: 1_000 },
          },
          { name: POWERTOOLS, program: "overhead.ts", input: { handler: "powertools", ...batches } },
          {
            name: `${POWERTOOLS}, logger and metrics`,
            program: "overhead.ts",
            input: { handler: "powertools", observed: true, ...batches },
          },
        ],
        metrics: [{ key: "microsecondsPerRecord", label: "CPU per record", unit: "µs", baseline: POWERTOOLS }],
      },
    ];
  },
  marks: [],
  plots: [
    {
      file: "performance-overhead.svg",
      title: "What a handler itself takes for a record",
      panels: [{ title: "CPU time", unit: "µs", groups: [{ label: "", row: "overhead CPU per record" }] }],
    },
  ],
};
