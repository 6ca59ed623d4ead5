import { Command } from "commander";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import type { Runs } from "../../shared/ledger/runs.ts";
import { continueEntry } from "../../shared/messages/control.ts";
import type { Queue } from "../../shared/queue.ts";
import { writeJson } from "../display.ts";
import { EXIT } from "../exit-code.ts";
import { newStart } from "../new-start.ts";
import { findUnasked, withRun } from "../run-target.ts";
import { openSession, workOnRun } from "../session.ts";

export const resumeCommand = new Command("resume")
  .summary("go on with a run that was interrupted, paused or failed")
  .description("Goes on with a run where it stopped: after Ctrl-C, a crash, a pause, or a source that failed.")
  .argument("[run]", "a run's id, or a workflow (default: the run that has not ended)")
  .option("--json", "one JSON object a line, the last one the summary", false)
  .addHelpText(
    "after",
    "\nExamples:\n  $ npx sluice resume\n  $ npx sluice resume cities\n  $ npx sluice resume 20261122-081530-3fa9",
  )
  .action(async (runOrWorkflow: string | undefined, { json }: { json: boolean }) => {
    const unasked = await findUnasked(runOrWorkflow);
    if (unasked !== undefined) {
      const { workflow, file, name, concurrency, begun } = unasked;
      const session = await openSession(file, { json, concurrency, name });
      process.exitCode = await workOnRun(session, async ({ controlQueue }) => ({
        id: begun.run,
        limit: begun.limit,
        begin: () => controlQueue.sendControl(newStart({ workflow, ...begun })),
      }));
      return;
    }
    const { run, file, name, concurrency, running } = await withRun(runOrWorkflow, async (target) => {
      // An engine that works already needs only to be told.
      if (target.running && !hasEnded(target.run)) await reopen(target.services, target.run);
      return target;
    });
    if (hasEnded(run)) {
      const message = `Run ${run.id} has ended, it is ${run.status}: npx sluice run ${name} starts another.`;
      if (json) writeJson({ type: "error", code: "RUN_ENDED", message });
      else console.error(message);
      process.exitCode = EXIT.failed;
      return;
    }
    if (running) {
      console.log(`Run ${run.id} goes on: npx sluice status ${run.id} --watch shows it.`);
      return;
    }
    const session = await openSession(file, { json, concurrency, name });
    process.exitCode = await workOnRun(session, async (services) => ({
      id: run.id,
      begin: () => reopen(services, run),
    }));
  });

/** A run that still runs has its continuation on the control queue; a paused or a failed one has none any more. */
async function reopen(
  { runs, controlQueue }: { readonly runs: Runs; readonly controlQueue: Queue },
  { id }: RunRecord,
): Promise<void> {
  const reopened = await runs.reopen(id);
  if (reopened === undefined) return;
  const { workflow, hop } = reopened;
  await controlQueue.sendControl(continueEntry({ run: id, workflow, hop: hop + 1 }));
}
