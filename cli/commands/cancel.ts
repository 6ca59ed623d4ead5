import { Command } from "commander";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";

export interface CancelOptions extends TargetOptions {
  readonly yes: boolean;
  readonly json: boolean;
}

export const cancelCommand = withTargetOptions(new Command("cancel"))
  .description("Cancels a run: tasks in flight finish, queued items are dropped without running, and the run ends.")
  .argument("[run]", "a run's id, or a workflow's name (default: the latest run that has not ended)")
  .option("--yes", "do not ask for confirmation", false)
  .option("--json", "print one JSON object per line; the last line is the summary", false)
  .addHelpText("after", "\nExamples:\n  $ npx sluice cancel cities\n  $ npx sluice cancel 20261122-081530-3fa9 --yes")
  .action(async (runOrWorkflow: string | undefined, options: CancelOptions) => {
    const { cancelRun } = await import("../runs/cancel-run.ts");
    await cancelRun(runOrWorkflow, options);
  });
