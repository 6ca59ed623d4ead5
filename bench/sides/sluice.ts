import { type PlanSettings, planOf } from "../../cli/plan/plan-workflow.ts";
import { loadWorkflow } from "../../cli/targets/workflow-file.ts";
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
  /** Plans the run too, and compares the plan with it. */
  readonly plan?: Omit<PlanSettings, "json">;
}

// A workflow on the embedded engine.
await side<Input>(async ({ workflow, variables, attempts = true, order, plan }, directory) => {
  const faults = order === "at random" ? { faults: new Faults({ seed: 7, reorder: 1, reorderWindow: 100_000 }) } : {};
  const run = await runOnEngine({ workflow, directory, attempts, ...(variables && { variables }), ...faults });
  return {
    ...(plan !== undefined && (await compared(run, workflow, order, plan))),
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

/** What `sluice plan` says, as a ratio to what the run needed. */
async function compared(run: EngineRun, file: string, order: Input["order"], settings: Omit<PlanSettings, "json">) {
  const { workflow } = await loadWorkflow(file);
  const plan = await planOf(workflow, settings);
  const { sqs, dynamoDb } = plan[order === "at random" ? "random" : "ordered"].requests;
  const { SQS = Number.NaN, DynamoDB = Number.NaN } = requestsPerThousand(run.reports, run.items);
  return {
    plannedRequests: (1_000 * (sqs + dynamoDb)) / run.items / (SQS + DynamoDB),
    plannedTime: plan.seconds / run.wallSeconds,
  };
}

function ofAttempts({ reports, requestedAt, completedAt, concurrency }: EngineRun) {
  const { first, last } = attemptSpan(reports);
  return {
    // Before the first task and after the last one: what a run costs once.
    leadMilliseconds: first - requestedAt,
    trailMilliseconds: completedAt - last,
    busyPercent: 100 * busyShare(reports, concurrency),
  };
}
