import { Command } from "commander";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";

export interface LogsOptions extends TargetOptions {
  /** The item's id, or its page and index. */
  readonly item?: string;
  readonly error: boolean;
  readonly follow: boolean;
  readonly json: boolean;
}

export const logsCommand = withTargetOptions(new Command("logs"))
  .description(
    "Prints what the functions logged during a run, oldest lines first. Lines with metrics are left out. With --stack, the " +
      "lines come from CloudWatch Logs.",
  )
  .argument("[run]", "a run's id, or a workflow's name: its latest run (default: the latest run)")
  .option("--item <id>", "only lines of this item: its id, or its page and index in the run, such as 0/3")
  .option("--error", "only errors and dead letters", false)
  .option(
    "-f, --follow",
    "keep printing new lines, until the run has ended or you press Ctrl-C; without a run: those of all runs",
    false,
  )
  .option("--json", "print one JSON object per line", false)
  .addHelpText(
    "after",
    `
Exit codes:
  0    printed
  1    the command failed
  3    no line matches
  130  interrupted

Examples:
  $ npx sluice logs
  $ npx sluice logs cities --error
  $ npx sluice logs 20261122-081530-3fa9 --item 0/3
  $ npx sluice logs -f
  $ npx sluice logs cities --stack -f
  $ npx sluice logs --json | jq 'select(.level == "warn") | .message'`,
  )
  .action(async (run: string | undefined, options: LogsOptions) => {
    const { showLogs } = await import("../logs/show-logs.ts");
    await showLogs(run, options);
  });
