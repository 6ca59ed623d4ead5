/**
 * Plans the example workflows and runs them in virtual time. Prints a JSON object for each of them, one in a line. With an
 * argument, only those whose name and order contain it.
 */
import { planOf } from "../../../cli/plan/plan-workflow.ts";
import { inVirtualTime, type Metered, meteredRun } from "./metered-run.ts";
import { PLANNED } from "./planned-workflows.ts";

/** A plan, and what the run needed. */
export interface PlannedAndMetered {
  readonly name: string;
  readonly order: "ordered" | "random";
  readonly planned: { readonly items: number; readonly seconds: number; readonly requests: number };
  readonly metered: Metered & { readonly requests: number };
}

const [only = ""] = process.argv.slice(2);
for (const { name, order, workflow, taskSeconds, spread, failures } of PLANNED) {
  if (!`${name}, ${order}`.includes(only)) continue;
  // The plan measures how long the first page takes.
  const { source, seconds, ...plan } = await inVirtualTime(() => planOf(workflow, { taskSeconds, spread, failures }));
  const metered = await meteredRun(workflow, order);
  const sum = ({ sqs, dynamoDb, s3 }: { readonly sqs: number; readonly dynamoDb: number; readonly s3: number }) =>
    sqs + dynamoDb + s3;
  const line: PlannedAndMetered = {
    ...{ name, order },
    planned: { items: source.items, seconds, requests: sum(plan[order].requests) },
    metered: { ...metered, requests: sum(metered) },
  };
  console.log(JSON.stringify(line));
}
