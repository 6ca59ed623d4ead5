import { Command, Option } from "commander";
import { positiveInteger } from "../options/positive-integer.ts";
import { ratePerSecond } from "../options/rate.ts";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";

export interface LimitOptions extends TargetOptions {
  readonly concurrency?: number;
  /** In starts per second. */
  readonly rate?: number;
  readonly clear: boolean;
  readonly show: boolean;
  readonly json: boolean;
}

export const limitCommand = withTargetOptions(new Command("limit"))
  .description(
    "Shows or changes how much a workflow's fleet may do at once. A change takes effect within 3 s, also while a run " +
      "works. It holds for all later runs and deployments, until it is cleared.",
  )
  .argument("<workflow>", "the workflow's name")
  .option("--concurrency <tasks>", "the most tasks in flight, at most the concurrency of the workflow", positiveInteger)
  .option("--rate <rate>", 'the most tasks that start in a time, such as "100/s", "600/min" or "5000/h"', ratePerSecond)
  .addOption(
    new Option("--clear", "remove both limits that this command has set")
      .default(false)
      .conflicts(["concurrency", "rate"]),
  )
  .option("--show", "show the limits that are set, and the one that is in force (default without other options)", false)
  .option("--json", "print one JSON object", false)
  .addHelpText(
    "after",
    `
Examples:
  $ npx sluice limit cities
  $ npx sluice limit cities --concurrency 20 --rate 100/s
  $ npx sluice limit cities --clear --stack`,
  )
  .action(async (workflow: string, options: LimitOptions) => {
    const { limitWorkflow } = await import("../runs/limit-workflow.ts");
    await limitWorkflow(workflow, options);
  });
