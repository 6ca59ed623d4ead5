import { Command } from "commander";
import { positiveInteger } from "../options/positive-integer.ts";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";

export interface StatusOptions extends TargetOptions {
  readonly json: boolean;
  readonly watch: boolean;
  /** How many runs of each workflow to list, besides its active runs. Default: 20, and on a terminal as many as fit. */
  readonly limit?: number;
}

export const statusCommand = withTargetOptions(new Command("status"))
  .description(
    "Lists the latest runs and all active runs of each workflow, or shows one run. You can use the command while a run is active.",
  )
  .argument("[run]", "a run's id, or a workflow's name: its latest run that was not skipped")
  .option("--watch", "show the run again every second until it has ended", false)
  .option(
    "--limit <n>",
    "list at most this many runs of each workflow, besides its active runs (default: 20, and on a terminal as many as fit)",
    positiveInteger,
  )
  .option("--json", "print one JSON object per run", false)
  .addHelpText(
    "after",
    `
Examples:
  $ npx sluice status
  $ npx sluice status cities --watch
  $ npx sluice status 20261122-081530-3fa9 --json
  $ npx sluice status --stack sluice-cities --region eu-west-1`,
  )
  .action(async (run: string | undefined, options: StatusOptions) => {
    const { showStatus } = await import("../runs/show-status.ts");
    await showStatus(run, options);
  });
