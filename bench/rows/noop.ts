import { BULLMQ, PG_BOSS, SLUICE } from "../harness/names.ts";
import { needsPostgres, needsRedis } from "../harness/private-server.ts";
import type { Row } from "../harness/row.ts";

const RATE = "noop rate";
const REFILLED = `${SLUICE}, refilled slots`;

/** As many as the workflow's: with 50, BullMQ is a tenth slower, and with more than 200 no faster. */
const IN_FLIGHT = 200;

/** Tasks that do nothing, from their source to their record: the price of a task. */
export const noop: Row = {
  name: "noop",
  cases(scale) {
    const tasks = scale === "quick" ? 2_000 : 100_000;
    const input = { tasks, seconds: 0, inFlight: IN_FLIGHT };
    const variables = { SLUICE_BENCH_ITEMS: String(tasks) };
    // Nobody else's attempts are noted either.
    const sluice = (name: string, workflow: string) => ({
      name,
      program: "sluice.ts",
      input: { workflow, variables, attempts: false },
    });
    return [
      {
        name: "noop",
        rounds: scale === "quick" ? 1 : 7,
        // The two that are compared stand beside each other: the machine's speed changes within a minute.
        sides: [
          sluice(SLUICE, "bench/workflows/noop-batches.ts"),
          { name: BULLMQ, program: "bullmq.ts", input, needs: needsRedis },
          sluice(REFILLED, "bench/workflows/noop.ts"),
          { name: PG_BOSS, program: "pg-boss.ts", input, needs: needsPostgres },
        ],
        metrics: [{ key: "tasksPerSecond", label: "rate", unit: "tasks/s", baseline: BULLMQ }],
      },
    ];
  },
  marks: [{ label: "no-op tasks/s: Sluice / BullMQ", atLeast: 1, measured: (results) => results.ratio(RATE, SLUICE) }],
  plots: [
    {
      file: "performance-noop.svg",
      title: "No-op tasks, end to end",
      panels: [{ title: "rate", unit: "tasks/s", groups: [{ label: "", row: RATE }] }],
    },
  ],
};
