import type { PauseOptions } from "../commands/pause.ts";
import { EXIT } from "../exit-code.ts";
import { remark, say } from "../screens/paragraph.ts";
import { writeJson } from "../screens/write-json.ts";
import { withRun } from "../targets/find-run.ts";
import { stackFlag } from "../targets/target.ts";

/** Pauses a run, and says how to resume it. */
export async function pauseRun(runOrWorkflow: string | undefined, options: PauseOptions): Promise<void> {
  await withRun(
    runOrWorkflow,
    options,
    async (target) => {
      const { services, where, run } = target;
      const { id, status } = run;
      if ((await services.runs.pause(id)) === undefined && status !== "paused") {
        const message = `Run ${id} is ${status}: only a running run can be paused.`;
        if (options.json) writeJson({ type: "error", code: "NOT_RUNNING", message });
        else remark(message);
        process.exitCode = EXIT.failed;
        return;
      }
      const message = `Run ${id} on ${where} is paused. Continue it with: npx sluice resume ${id}${stackFlag(target)}`;
      if (options.json) writeJson({ type: "message", message });
      else say(message);
    },
    { prefers: ({ status }) => status === "running" },
  );
}
