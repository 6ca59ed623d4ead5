import { SLUICE, SLUICE_BATCHES } from "../harness/names.ts";
import type { Case, Metric, Row } from "../harness/row.ts";

const ACTIONS = [
  "SQS",
  "SQS SendMessageBatch",
  "SQS ReceiveMessage",
  "SQS DeleteMessageBatch",
  "SQS mapping",
  "DynamoDB",
  "DynamoDB UpdateItem",
  "DynamoDB GetItem",
  "DynamoDB BatchGetItem",
] as const;

const METRICS = ACTIONS.map((action): Metric => ({ key: action, label: action, unit: "per 1,000 tasks" }));

/** What a task costs in requests to AWS. */
export const requests: Row = {
  name: "requests",
  cases(scale) {
    const noop = {
      workflow: "bench/workflows/noop.ts",
      variables: { SLUICE_BENCH_ITEMS: scale === "quick" ? "2000" : "20000" },
    };
    const exponential = (refill: "on" | "off") => ({
      workflow: "bench/workflows/durations.ts",
      variables: {
        SLUICE_BENCH_DISTRIBUTION: "exponential",
        SLUICE_BENCH_ITEMS: "1000",
        SLUICE_BENCH_MEAN: scale === "quick" ? "100" : "500",
        SLUICE_BENCH_REFILL: refill,
      },
    });
    const uniform = {
      workflow: "bench/workflows/durations.ts",
      variables: {
        SLUICE_BENCH_DISTRIBUTION: "uniform",
        SLUICE_BENCH_ITEMS: scale === "quick" ? "800" : "8000",
        SLUICE_BENCH_MEAN: "250",
      },
    };
    const caseOf = (name: string, sides: Case["sides"]): Case => ({
      name: `requests ${name}`,
      rounds: 1,
      sides,
      metrics: METRICS,
    });
    return [
      caseOf("seconds", [{ name: SLUICE, program: "sluice.ts", input: { workflow: "workflows/seconds.ts" } }]),
      caseOf("exponential", [
        { name: SLUICE, program: "sluice.ts", input: exponential("on") },
        { name: SLUICE_BATCHES, program: "sluice.ts", input: exponential("off") },
      ]),
      ...(["in order", "at random"] as const).map((order) =>
        caseOf(`250 ms, ${order}`, [{ name: SLUICE, program: "sluice.ts", input: { ...uniform, order } }]),
      ),
      caseOf("noop", [{ name: SLUICE, program: "sluice.ts", input: noop }]),
    ];
  },
  marks: [],
  plots: [],
  pivot: ACTIONS,
};
