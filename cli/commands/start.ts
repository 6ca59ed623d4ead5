import { Command } from "commander";
import { positiveInteger } from "../options/positive-integer.ts";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";

export interface StartOptions extends TargetOptions {
  readonly json: boolean;
  readonly items?: number;
}

export const startCommand = withTargetOptions(new Command("start"))
  .description(
    "Starts a run of a workflow in a deployed stack, and returns at once. Without --stack, the command does what " +
      "`sluice run` does: it runs the workflow on this machine.",
  )
  .argument("[workflow]", "the workflow's name (default: the only workflow of the stack)")
  .option("--items <n>", "read at most this many items (default: the workflow's own limit)", positiveInteger)
  .option("--json", "print one JSON object with the run's id", false)
  .addHelpText(
    "after",
    "\nExamples:\n  $ npx sluice start cities --stack\n  $ npx sluice start cities --stack sluice-cities --items 100",
  )
  .action(async (workflow: string | undefined, options: StartOptions) => {
    const { startRun } = await import("../runs/start-run.ts");
    await startRun(workflow, options);
  });
