import { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { withRun } from "../run-target.ts";

export const pauseCommand = new Command("pause")
  .summary("stop new tasks of a run, and keep every message")
  .description("Pauses a run: tasks in flight are finished, no new one begins, and nothing is dropped.")
  .argument("[run]", "a run's id, or a workflow (default: the run that has not ended)")
  .addHelpText("after", "\nExample:\n  $ npx sluice pause cities")
  .action(async (run: string | undefined) => {
    await withRun(run, async ({ services, run: { id, status } }) => {
      if ((await services.runs.pause(id)) === undefined && status !== "paused") {
        console.error(`Run ${id} is ${status}: only a running run can be paused.`);
        process.exitCode = EXIT.failed;
        return;
      }
      console.log(`Run ${id} is paused: npx sluice resume ${id} goes on with it.`);
    });
  });
