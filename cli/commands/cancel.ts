import { Command } from "commander";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import { continueEntry } from "../../shared/messages/control.ts";
import { confirm } from "../confirm.ts";
import { EXIT } from "../exit-code.ts";
import { plural } from "../format.ts";
import { withRun } from "../run-target.ts";
import { openSession, workOnRun } from "../session.ts";

interface CancelOptions {
  readonly yes: boolean;
  readonly json: boolean;
}

export const cancelCommand = new Command("cancel")
  .summary("end a run: drop what is queued")
  .description("Cancels a run: tasks in flight are finished, what is queued is dropped unrun, and the run ends.")
  .argument("[run]", "a run's id, or a workflow (default: the run that has not ended)")
  .option("--yes", "do not ask", false)
  .option("--json", "one JSON object a line, the last one the summary", false)
  .addHelpText("after", "\nExamples:\n  $ npx sluice cancel cities\n  $ npx sluice cancel 20261122-081530-3fa9 --yes")
  .action(async (runOrWorkflow: string | undefined, { yes, json }: CancelOptions) => {
    const target = await withRun(runOrWorkflow, async ({ services, run, running, ...rest }) => {
      const { owed } = await services.runs.counts(run);
      if (hasEnded(run))
        return { run, running, refusal: `Run ${run.id} has ended already: it is ${run.status}.`, ...rest };
      const question = `Cancel run ${run.id} of ${run.workflow}? ${plural(owed, "queued item")} will be dropped.`;
      if (!yes && !(await confirm(question))) return { run, running, refusal: "Nothing was changed.", ...rest };
      await cancel(services, run);
      return { run, running, refusal: undefined, ...rest };
    });
    const { run, running, refusal, file, name, concurrency } = target;
    if (refusal !== undefined) {
      console.error(refusal);
      process.exitCode = EXIT.failed;
    } else if (running) {
      console.log(`Run ${run.id} is being cancelled: npx sluice status ${run.id} --watch shows its end.`);
    } else {
      // No engine works on it: one is started to drop what is queued.
      const session = await openSession(file, { json, concurrency, name });
      process.exitCode = await workOnRun(session, async () => ({ id: run.id, begin: async () => {} }));
    }
  });

type Services = Parameters<Parameters<typeof withRun>[1]>[0]["services"];

async function cancel({ runs, controlQueue }: Services, { id }: RunRecord): Promise<void> {
  const cancelled = await runs.cancel(id);
  if (cancelled === undefined) return;
  const { workflow, hop } = cancelled;
  await controlQueue.sendControl(continueEntry({ run: id, workflow, hop: hop + 1 }));
}
