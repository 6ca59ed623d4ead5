import { beginThread } from "../../local/dynamodb/early-thread.ts";
import { SluiceError } from "../../shared/base/errors.ts";
import type { RunOptions } from "../commands/run.ts";
import { EXIT } from "../exit-code.ts";
import { plural } from "../screens/format.ts";
import { remark } from "../screens/paragraph.ts";
import { writeJson } from "../screens/write-json.ts";
import { newRunId } from "./new-run-id.ts";
import { StartUp } from "./start-up.ts";

/**
 * Runs a workflow on the embedded engine until the run has ended, and sets the exit code. With `ui`, it shows the dashboard, and
 * ends when the user presses Ctrl-C.
 */
export async function runHere(name: string, options: RunOptions): Promise<void> {
  if (options.ui !== true) return await runAlone(name, options);
  const { DashboardBeside } = await import("../ui/dashboard-beside.ts");
  const dashboard = await DashboardBeside.start();
  try {
    if (dashboard !== undefined) tell(options, `The dashboard is at ${dashboard.url}`);
    await runAlone(name, options);
    if (dashboard === undefined || process.exitCode === EXIT.interrupted) return;
    tell(options, `The dashboard stays open at ${dashboard.url}. Press Ctrl-C to end it.`);
    await dashboard.untilInterrupted();
  } finally {
    await dashboard?.close();
  }
}

function tell({ json }: RunOptions, message: string): void {
  if (json) writeJson({ type: "message", message });
  else remark(message);
}

async function runAlone(name: string, options: RunOptions): Promise<void> {
  using startUp = new StartUp(options);
  startUp.step("loading the workflow");
  beginThread();
  const [{ openSession, workOnRun }, { newStart }] = await Promise.all([
    import("./session.ts"),
    import("./new-start.ts"),
  ]);
  const session = await openSession(name, options, startUp);
  process.exitCode = await workOnRun(session, async ({ runs, controlQueue }) => {
    const [unfinished] = await runs.active.list();
    if (unfinished !== undefined) {
      // If the workflow's file was moved, the commands that continue the run find it at its new path from now on.
      const { state, loaded } = session;
      const { origin } = state;
      if (origin !== undefined) state.remember({ ...origin, file: loaded.file, name });
      const { id, status, workflow } = unfinished;
      const { pending, produced } = await runs.counts(unfinished);
      throw new SluiceError(
        "RUN_UNFINISHED",
        `run ${id} of ${workflow} has not ended: it is ${status}, with ${plural(produced - pending, "item")} settled. ` +
          `Continue it with: npx sluice resume ${workflow}. Or delete it and start anew with: npx sluice run ${name} --fresh`,
      );
    }
    const { items: limit } = options;
    const { workflow } = session.loaded;
    const id = newRunId();
    return {
      id,
      limit,
      begin: () => controlQueue.sendControl(newStart({ workflow: workflow.name, run: id, limit })),
    };
  });
}
