import { Faults } from "../../local/sqs/injected-faults.ts";
import { type EngineRun, runOnEngine } from "../harness/engine-run.ts";
import {
  attemptSpan,
  billedGigabyteSeconds,
  busyShare,
  cpuMicroseconds,
  requestsPerThousand,
} from "../harness/reports.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly workflow: string;
  readonly variables?: Readonly<Record<string, string>>;
  /** Whether attempts are noted, by which slots are known to be busy. Default: true. */
  readonly attempts?: boolean;
  /** The order in which the queue delivers its messages. Default: nearly as they were sent. */
  readonly order?: "in order" | "at random";
}

// A workflow on the embedded engine.
await side<Input>(async ({ workflow, variables, attempts = true, order }, directory) => {
  const faults = order === "at random" ? { faults: new Faults({ seed: 7, reorder: 1, reorderWindow: 100_000 }) } : {};
  const run = await runOnEngine({ workflow, directory, attempts, ...(variables && { variables }), ...faults });
  return {
    ...(attempts && ofAttempts(run)),
    wallSeconds: run.wallSeconds,
    fromCommandSeconds: run.fromCommandSeconds,
    tasksPerSecond: run.items / run.wallSeconds,
    gigabyteSeconds: billedGigabyteSeconds(run.reports, run.memoryMb),
    ...requestsPerThousand(run.reports, run.items),
    consumerCpu: cpuMicroseconds(run.reports, "consumer", run.items),
    producerCpu: cpuMicroseconds(run.reports, "producer", run.items),
    engineCpu: (1e6 * run.engineCpuSeconds) / run.items,
  };
});

function ofAttempts({ reports, requestedAt, completedAt, concurrency }: EngineRun) {
  const { first, last } = attemptSpan(reports);
  return {
    // Before the first task and after the last one: what a run costs once.
    leadMilliseconds: first - requestedAt,
    trailMilliseconds: completedAt - last,
    busyPercent: 100 * busyShare(reports, concurrency),
  };
}
