import { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { othersWork, withRun } from "../run-target.ts";
import { stackFlag } from "../target.ts";
import { type TargetOptions, withTargetOptions } from "../target-options.ts";

export const pauseCommand = withTargetOptions(new Command("pause"))
  .summary("stop new tasks of a run, and keep every message")
  .description("Pauses a run: tasks in flight are finished, no new one begins, and nothing is dropped.")
  .argument("[run]", "a run's id, or a workflow (default: the run that has not ended)")
  .addHelpText("after", "\nExample:\n  $ npx sluice pause cities")
  .action(async (runOrWorkflow: string | undefined, options: TargetOptions) => {
    await withRun(runOrWorkflow, options, async (target) => {
      const { services, where, run } = target;
      const { id, status } = run;
      if ((await services.runs.pause(id)) === undefined && status !== "paused") {
        console.error(`Run ${id} is ${status}: only a running run can be paused.`);
        process.exitCode = EXIT.failed;
        return;
      }
      // The consumers put messages back as long as Lambda delivers them, which costs requests.
      if (!(await othersWork(target))) await target.deliver(false);
      console.log(`Run ${id} on ${where} is paused: npx sluice resume ${id}${stackFlag(target)} goes on with it.`);
    });
  });
