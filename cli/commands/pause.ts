import { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";
import { writeJson } from "../screens/display.ts";
import { remark, say } from "../screens/paragraph.ts";
import { withRun } from "../targets/find-run.ts";
import { stackFlag } from "../targets/target.ts";

export const pauseCommand = withTargetOptions(new Command("pause"))
  .summary("stop new tasks of a run, and keep every message")
  .description("Pauses a run: tasks in flight are finished, no new one begins, and nothing is dropped.")
  .argument("[run]", "a run's id, or a workflow (default: the latest run that works)")
  .option("--json", "one JSON object", false)
  .addHelpText("after", "\nExample:\n  $ npx sluice pause cities")
  .action(async (runOrWorkflow: string | undefined, { json, ...options }: TargetOptions & { json: boolean }) => {
    await withRun(
      runOrWorkflow,
      options,
      async (target) => {
        const { services, where, run } = target;
        const { id, status } = run;
        if ((await services.runs.pause(id)) === undefined && status !== "paused") {
          const message = `Run ${id} is ${status}: only a running run can be paused.`;
          if (json) writeJson({ type: "error", code: "NOT_RUNNING", message });
          else remark(message);
          process.exitCode = EXIT.failed;
          return;
        }
        const message = `Run ${id} on ${where} is paused: npx sluice resume ${id}${stackFlag(target)} goes on with it.`;
        if (json) writeJson({ type: "message", message });
        else say(message);
      },
      { prefers: ({ status }) => status === "running" },
    );
  });
