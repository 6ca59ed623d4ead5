import { Command } from "commander";
import { continueEntry } from "../../shared/messages/control.ts";
import { openSession, type SessionOptions, workOnRun } from "../session.ts";

export const resumeCommand = new Command("resume")
  .summary("go on with a run that was interrupted or failed")
  .description("Goes on with the latest run of a workflow that has not completed, or with the run that is named.")
  .argument("<workflow>", "a name in workflows/, or the path of a file")
  .argument("[run]", "the run's id (default: the latest)")
  .option("--json", "one JSON object a line, the last one the summary", false)
  .addHelpText("after", "\nExamples:\n  $ npx sluice resume cities\n  $ npx sluice resume cities 20261122-081530-3fa9")
  .action(async (name: string, run: string | undefined, options: SessionOptions) => {
    const session = await openSession(name, options);
    process.exitCode = await workOnRun(session, async ({ runs, controlQueue }) => {
      const record = run === undefined ? (await runs.latest(1))[0] : await runs.find(run);
      if (record === undefined) {
        return { refusal: `There is no run ${run ?? `of ${name}`}: npx sluice run ${name} starts one.` };
      }
      if (record.status === "completed") {
        return { refusal: `Run ${record.id} of ${name} has completed: npx sluice run ${name} starts another.` };
      }
      return {
        id: record.id,
        // A run that still runs has its continuation on the control queue; a failed one has none any more.
        begin: async () => {
          const reopened = await runs.reopen(record.id);
          if (reopened === undefined) return;
          const { id, workflow, hop } = reopened;
          await controlQueue.sendControl(continueEntry({ run: id, workflow, hop: hop + 1 }));
        },
      };
    });
  });
