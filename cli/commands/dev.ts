import { Command } from "commander";
import { positiveInteger } from "../options/positive-integer.ts";

export interface DevOptions {
  readonly items?: number;
  readonly run: boolean;
  readonly json: boolean;
}

export const devCommand = new Command("dev")
  .description(
    "Keeps a workflow running on this machine while you write it. The command loads the workflow again each time you save a " +
      "file of it, reads .env, starts runs at the times of the workflow's schedule, and prints what the functions log. " +
      "Press r to start a run, and q to quit.",
  )
  .argument("<workflow>", "the name of a workflow in workflows/, or the path of its file")
  .option(
    "--items <n>",
    "read at most this many items in each run (default: the workflow's own limit)",
    positiveInteger,
  )
  .option("--run", "start a run at once", false)
  .option("--json", "print one JSON object per line", false)
  .addHelpText(
    "after",
    `
A version that does not bundle or load prints its error, and the version before
goes on. Pending items of a run go on with the new version.

Exit codes:
  0    you pressed q
  1    the command could not start, or another command uses the workflow's state
  130  interrupted: "sluice dev" or "sluice resume" continues the run

Examples:
  $ npx sluice dev cities
  $ npx sluice dev cities --run --items 20
  $ npx sluice dev ./my-workflow.ts --json`,
  )
  .action(async (workflow: string, options: DevOptions) => {
    const { devHere } = await import("../dev/dev-here.ts");
    await devHere(workflow, options);
  });
