import { SLUICE, SLUICE_BATCHES } from "../harness/names.ts";
import type { Case, Metric, Results, Row } from "../harness/row.ts";

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

const PLANNED_REQUESTS = "planned requests / made";
const PLANNED_TIME = "planned time / taken";
/** What `sluice plan` says, as a ratio to what the run needed. */
const PLAN_METRICS: readonly Metric[] = [
  { key: "plannedRequests", label: PLANNED_REQUESTS, unit: "" },
  { key: "plannedTime", label: PLANNED_TIME, unit: "" },
];

/** The cases that are planned, too. */
const PLANNED = ["seconds", "250 ms, in order", "250 ms, at random"] as const;

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
      metrics: PLANNED.some((planned) => planned === name) ? [...METRICS, ...PLAN_METRICS] : METRICS,
    });
    return [
      caseOf("seconds", [
        {
          name: SLUICE,
          program: "sluice.ts",
          input: { workflow: "workflows/seconds.ts", plan: { taskSeconds: 1, spread: 0 } },
        },
      ]),
      caseOf("exponential", [
        { name: SLUICE, program: "sluice.ts", input: exponential("on") },
        { name: SLUICE_BATCHES, program: "sluice.ts", input: exponential("off") },
      ]),
      ...(["in order", "at random"] as const).map((order) =>
        caseOf(`250 ms, ${order}`, [
          { name: SLUICE, program: "sluice.ts", input: { ...uniform, order, plan: { taskSeconds: 0.25, spread: 1 } } },
        ]),
      ),
      caseOf("noop", [{ name: SLUICE, program: "sluice.ts", input: noop }]),
    ];
  },
  marks: PLANNED.flatMap((name) => [
    {
      label: `\`sluice plan\`, ${name}: planned requests / made`,
      atLeast: 0.95,
      atMost: 1.05,
      measured: (results: Results) => results.median(`requests ${name} ${PLANNED_REQUESTS}`, SLUICE),
    },
    {
      label: `\`sluice plan\`, ${name}: planned time / taken`,
      atLeast: 0.9,
      atMost: 1.1,
      measured: (results: Results) => results.median(`requests ${name} ${PLANNED_TIME}`, SLUICE),
    },
  ]),
  plots: [],
  pivot: [...ACTIONS, PLANNED_REQUESTS, PLANNED_TIME],
};
