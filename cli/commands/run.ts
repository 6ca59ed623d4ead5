import { Command } from "commander";
import { SluiceError } from "../../shared/base/errors.ts";
import { positiveInteger } from "../options/positive-integer.ts";
import { newRunId } from "../runs/new-run-id.ts";
import { newStart } from "../runs/new-start.ts";
import { openSession, type SessionOptions, workOnRun } from "../runs/session.ts";
import { plural } from "../screens/format.ts";

export interface RunOptions extends SessionOptions {
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
  .action(runHere);

/** Runs a workflow on the embedded engine until the run has ended, and sets the exit code. */
export async function runHere(name: string, options: RunOptions): Promise<void> {
  const session = await openSession(name, options);
  process.exitCode = await workOnRun(session, async ({ runs, controlQueue }) => {
    const [unfinished] = await runs.active.list();
    if (unfinished !== undefined) {
      const { id, status, workflow } = unfinished;
      const { pending, produced } = await runs.counts(unfinished);
      throw new SluiceError(
        "RUN_UNFINISHED",
        `run ${id} of ${workflow} has not ended: it is ${status}, with ${plural(produced - pending, "item")} settled. ` +
          `Go on with it: npx sluice resume ${workflow}. Or drop it: npx sluice run ${name} --fresh`,
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
