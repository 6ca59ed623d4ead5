import { Command } from "commander";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";

export interface ResumeOptions extends TargetOptions {
  readonly json: boolean;
}

export const resumeCommand = withTargetOptions(new Command("resume"))
  .description(
    "Continues a run where it stopped: after Ctrl-C, a crash, a pause, or a source that failed. If the run has ended, the " +
      "command processes the dead letters that were redriven since.",
  )
  .argument("[run]", "a run's id, or a workflow's name (default: the latest run with work left)")
  .option("--json", "print one JSON object per line; the last line is the summary", false)
  .addHelpText(
    "after",
    `
Exit codes:
  0    every item succeeded, or the run continues in its stack or in another process
  1    there is nothing to resume, or the run failed or was cancelled
  2    the run completed, with dead letters
  130  interrupted or paused: "sluice resume" continues the run

Examples:
  $ npx sluice resume
  $ npx sluice resume cities
  $ npx sluice resume 20261122-081530-3fa9`,
  )
  .action(async (runOrWorkflow: string | undefined, options: ResumeOptions) => {
    const { StartUp } = await import("../runs/start-up.ts");
    using startUp = new StartUp(options);
    startUp.step("looking for the run");
    const { resumeRun } = await import("../runs/resume-run.ts");
    await resumeRun(runOrWorkflow, options, startUp);
  });
