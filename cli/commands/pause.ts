import { Command } from "commander";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";

export interface PauseOptions extends TargetOptions {
  readonly json: boolean;
}

export const pauseCommand = withTargetOptions(new Command("pause"))
  .description("Pauses a run: tasks in flight finish, no new task starts, and every message stays in its queue.")
  .argument("[run]", "a run's id, or a workflow's name (default: the latest run that is running)")
  .option("--json", "print one JSON object", false)
  .addHelpText("after", "\nExamples:\n  $ npx sluice pause cities\n  $ npx sluice pause cities --stack")
  .action(async (runOrWorkflow: string | undefined, options: PauseOptions) => {
    const { pauseRun } = await import("../runs/pause-run.ts");
    await pauseRun(runOrWorkflow, options);
  });
