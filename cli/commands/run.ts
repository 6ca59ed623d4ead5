import { Command } from "commander";
import { positiveInteger } from "../options/positive-integer.ts";

export interface RunOptions {
  readonly json: boolean;
  readonly items?: number;
  readonly concurrency?: number;
  readonly fresh?: boolean;
  readonly ui?: boolean;
}

export const runCommand = new Command("run")
  .description("Runs a workflow on the embedded engine until every item of its source has succeeded or is dead.")
  .argument("<workflow>", "the name of a workflow in workflows/, or the path of its file")
  .option("--items <n>", "read at most this many items (default: the workflow's own limit)", positiveInteger)
  .option(
    "--concurrency <n>",
    "run at most this many tasks at once (default: the workflow's concurrency)",
    positiveInteger,
  )
  .option("--fresh", "first delete what earlier runs of the workflow left: runs, messages, dead letters", false)
  .option("--ui", "show the run in the browser, and keep the dashboard open after the run", false)
  .option("--json", "print one JSON object per line; the last line is the summary", false)
  .addHelpText(
    "after",
    `
Exit codes:
  0    every item succeeded
  1    the run could not start, failed or was cancelled
  2    the run completed, with dead letters
  130  interrupted or paused: "sluice resume" continues the run

Examples:
  $ npx sluice run cities
  $ npx sluice run cities --items 135233 --concurrency 100
  $ npx sluice run ./my-workflow.ts --fresh
  $ npx sluice run cities --ui
  $ npx sluice run seconds --json | tail -n 1`,
  )
  .action(async (workflow: string, options: RunOptions) => {
    const { runHere } = await import("../runs/run-here.ts");
    await runHere(workflow, options);
  });
