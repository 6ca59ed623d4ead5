import { Command } from "commander";
import { plural } from "../format.ts";
import { newRunId } from "../new-run-id.ts";
import { newStart } from "../new-start.ts";
import { positiveInteger } from "../positive-integer.ts";
import { openSession, type SessionOptions, workOnRun } from "../session.ts";

interface RunOptions extends SessionOptions {
  readonly items?: number;
}

export const runCommand = new Command("run")
  .summary("run a workflow on this machine")
  .description("Runs a workflow on the embedded engine, until every item of its source is done or dead.")
  .argument("<workflow>", "a name in workflows/, or the path of a file")
  .option("--items <n>", "items at the most (default: as the workflow says)", positiveInteger)
  .option("--concurrency <n>", "tasks in flight (default: as the workflow says)", positiveInteger)
  .option("--fresh", "drop what earlier runs of the workflow left: runs, messages, dead letters", false)
  .option("--json", "one JSON object a line, the last one the summary", false)
  .addHelpText(
    "after",
    `
Exit codes:
  0    every item succeeded
  1    the run could not start, or failed
  2    the run completed, with dead letters
  130  interrupted: "sluice resume" goes on

Examples:
  $ npx sluice run cities
  $ npx sluice run cities --items 135233 --concurrency 100
  $ npx sluice run ./my-workflow.ts --fresh
  $ npx sluice run seconds --json | tail -n 1`,
  )
  .action(async (name: string, options: RunOptions) => {
    const session = await openSession(name, options);
    if (options.fresh) session.state.drop();
    process.exitCode = await workOnRun(session, async ({ runs, controlQueue }) => {
      const [latest] = await runs.latest(1);
      if (latest?.status === "running") {
        const { owed, produced } = await runs.counts(latest);
        return {
          refusal:
            `Run ${latest.id} of ${latest.workflow} has not ended: ${plural(produced - owed, "item")} settled. ` +
            `Go on with it: npx sluice resume ${name}. Or drop it: npx sluice run ${name} --fresh`,
        };
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
  });
