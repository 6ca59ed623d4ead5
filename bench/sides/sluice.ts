import { runOnEngine } from "../harness/engine-run.ts";
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
}

// A workflow on the embedded engine.
await side<Input>(async ({ workflow, variables }, directory) => {
  const run = await runOnEngine({ workflow, directory, ...(variables && { variables }) });
  const { first, last } = attemptSpan(run.reports);
  return {
    // Before the first task and after the last one: what a run costs once.
    leadMilliseconds: first - run.requestedAt,
    trailMilliseconds: run.completedAt - last,
    wallSeconds: run.wallSeconds,
    fromCommandSeconds: run.fromCommandSeconds,
    tasksPerSecond: run.items / run.wallSeconds,
    gigabyteSeconds: billedGigabyteSeconds(run.reports, run.memoryMb),
    busyPercent: 100 * busyShare(run.reports, run.concurrency),
    ...requestsPerThousand(run.reports, run.items),
    consumerCpu: cpuMicroseconds(run.reports, "consumer", run.items),
    producerCpu: cpuMicroseconds(run.reports, "producer", run.items),
    engineCpu: (1e6 * run.engineCpuSeconds) / run.items,
  };
});
