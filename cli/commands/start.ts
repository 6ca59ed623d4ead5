import { Command } from "commander";
import { ConfigurationError } from "../../shared/errors.ts";
import { newRunId } from "../new-run-id.ts";
import { newStart } from "../new-start.ts";
import { positiveInteger } from "../positive-integer.ts";
import { targets } from "../run-target.ts";
import { type TargetOptions, withTargetOptions } from "../target-options.ts";

export const startCommand = withTargetOptions(new Command("start"))
  .summary("start a run of a deployed workflow")
  .description("Starts a run of a workflow in a deployed stack, and returns. On this machine, `sluice run` does it.")
  .argument("[workflow]", "the workflow's name (default: the only one of the stack)")
  .option("--items <n>", "items at the most (default: as the workflow says)", positiveInteger)
  .addHelpText(
    "after",
    "\nExamples:\n  $ npx sluice start cities\n  $ npx sluice start cities --stack sluice-cities --items 100",
  )
  .action(async (name: string | undefined, options: TargetOptions & { items?: number }) => {
    const names: string[] = [];
    for await (const { workflow, where, services } of targets({ ...options, stack: options.stack ?? true })) {
      names.push(workflow);
      if (name !== undefined && name !== workflow) continue;
      const run = newRunId();
      await services.controlQueue.sendControl(newStart({ workflow, run, limit: options.items }));
      console.log(
        `Run ${run} of ${workflow} was asked for in ${where}: npx sluice status ${run} --stack --watch shows it.`,
      );
      return;
    }
    throw new ConfigurationError(`the stack has no workflow "${name}": it has ${names.join(", ")}`);
  });
