import { ASYNCIO, BULLMQ, NODE_QUEUE, PG_BOSS, SLUICE } from "../harness/names.ts";
import { needsPostgres, needsPython, needsRedis } from "../harness/private-server.ts";
import type { Row } from "../harness/row.ts";

const TASKS = 1_000;
const IN_FLIGHT = 50;
const WALL = "seconds wall";

/** The reference: 1,000 tasks of one second, 50 in flight. */
export const seconds: Row = {
  name: "seconds",
  cases(scale) {
    // `workflows/seconds.ts` is what it is: only the others can be made short.
    const input = { tasks: TASKS, seconds: 1, inFlight: IN_FLIGHT };
    return [
      {
        name: "seconds",
        rounds: scale === "quick" ? 1 : 3,
        sides: [
          { name: SLUICE, program: "sluice.ts", input: { workflow: "workflows/seconds.ts" } },
          { name: NODE_QUEUE, program: "node-queue.ts", input },
          { name: ASYNCIO, program: "python.ts", input, needs: needsPython },
          { name: BULLMQ, program: "bullmq.ts", input, needs: needsRedis },
          { name: PG_BOSS, program: "pg-boss.ts", input, needs: needsPostgres },
        ],
        metrics: [
          { key: "wallSeconds", label: "wall", unit: "s", baseline: TASKS / IN_FLIGHT },
          { key: "fromCommandSeconds", label: "cold", unit: "s", baseline: TASKS / IN_FLIGHT },
          { key: "leadMilliseconds", label: "before the first task", unit: "ms" },
          { key: "trailMilliseconds", label: "after the last task", unit: "ms" },
        ],
      },
    ];
  },
  marks: [
    { label: "`seconds`: wall / ideal", atMost: 1.005, measured: (results) => results.ratio(WALL, SLUICE) },
    {
      label: "`seconds`: wall, against BullMQ's",
      unit: "s",
      below: (results) => results.median(WALL, BULLMQ),
      measured: (results) => results.median(WALL, SLUICE),
    },
    {
      label: "`seconds`: wall, against pg-boss's",
      unit: "s",
      below: (results) => results.median(WALL, PG_BOSS),
      measured: (results) => results.median(WALL, SLUICE),
    },
  ],
  plots: [
    {
      file: "performance-seconds.svg",
      title: "1,000 tasks of one second, 50 in flight",
      panels: [
        {
          title: "wall time",
          unit: "s",
          groups: [{ label: "", row: WALL }],
          from: 19.8,
          line: { at: 20, label: "ideal" },
        },
      ],
    },
  ],
};
