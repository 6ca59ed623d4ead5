import { Command, Option } from "commander";
import type { ResultFormat } from "../../shared/definition/results-options.ts";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";

export interface ResultsOptions extends TargetOptions {
  /** Default: the format of the run. */
  readonly format?: ResultFormat;
  /** The file to write, or `-`. Default: `-`. */
  readonly output?: string;
  readonly force: boolean;
  readonly failed: boolean;
  readonly json: boolean;
}

export const resultsCommand = withTargetOptions(new Command("results"))
  .description(
    "Writes the results of a run: one row for each item that succeeded, in the order of the source. While the run works, " +
      "these are the results so far.",
  )
  .argument("[run]", "a run's id, or a workflow's name: its latest run (default: the latest run with results)")
  .addOption(
    new Option("--format <format>", "jsonl, or csv for spreadsheets (default: the format of the run)").choices([
      "jsonl",
      "csv",
    ]),
  )
  .option("--output <file>", "the file to write, or - (default: -, the standard output)")
  .option("--force", "replace the file if it exists; follow a link; write into a device or a FIFO", false)
  .option("--failed", "write a row for each item that failed, too, with the reason", false)
  .option(
    "--json",
    "print one JSON object: where the results are, and how many; rows are written only with --output <file>",
    false,
  )
  .addHelpText(
    "after",
    `
Exit codes:
  0    written
  1    the command failed
  2    not all: the run has not ended, results are missing, or not all dead letters could be read
  130  interrupted: no file was written

Examples:
  $ npx sluice results > cities.jsonl
  $ npx sluice results cities --format csv --output cities.csv
  $ npx sluice results --failed | jq 'select(.failed)'
  $ npx sluice results 20261122-081530-3fa9 --stack sluice-cities --output cities.jsonl
  $ aws s3 ls "$(npx sluice results --json --stack | jq -r .url)/"`,
  )
  .action(async (run: string | undefined, options: ResultsOptions) => {
    const { writeResults } = await import("../results/write-results.ts");
    await writeResults(run, options);
  });
