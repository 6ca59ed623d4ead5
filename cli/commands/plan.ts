import { Command } from "commander";
import { positiveInteger } from "../options/positive-integer.ts";
import { positiveNumber } from "../options/positive-number.ts";
import { share } from "../options/share.ts";

export interface PlanOptions {
  readonly json: boolean;
  readonly taskSeconds: number;
  readonly spread: number;
  readonly failures: number;
  readonly items?: number;
}

export const planCommand = new Command("plan")
  .description(
    "Says before a run how many items it has, how long it takes, how many requests it makes, and what it costs on AWS. Reads " +
      "the first page of the workflow's source, and asks the source for its size and its partitions. Runs no task, and " +
      "writes nothing into queues or the ledger.",
  )
  .argument("<workflow>", "the name of a workflow in workflows/, or the path of its file")
  .requiredOption("--task-seconds <n>", "how long a task takes on average, in seconds", positiveNumber)
  .option("--spread <share>", "by which share of that a task is shorter or longer at most, from 0 to 1", share, 0.5)
  .option("--failures <share>", "which share of the attempts fails, from 0 to 1", share, 0)
  .option("--items <n>", "plan for this many items, instead of what the source says", positiveInteger)
  .option("--json", "print one JSON object", false)
  .addHelpText(
    "after",
    `
The plan assumes that each page of the source takes as long as the first one, that the partitions have the same size, and that
the service throttles no task. With --failures, attempts fail evenly over the run, and are tried again as the workflow says.
The prices are list prices of us-east-1. What the source and the tasks themselves request, logs and alarms are not in the sum.
"sluice try" shows how long a task takes.

Exit codes:
  0    the plan was printed
  1    the workflow could not be loaded, or its source could not be read

Examples:
  $ npx sluice plan cities --task-seconds 0.3
  $ npx sluice plan ./workflows/invoices.ts --task-seconds 2 --items 5000000
  $ npx sluice plan thumbnails --task-seconds 1.5 --spread 1 --json
  $ npx sluice plan crawl --task-seconds 0.8 --failures 0.2`,
  )
  .action(async (workflow: string, options: PlanOptions) => {
    const { planHere } = await import("../plan/plan-here.ts");
    await planHere(workflow, options);
  });
