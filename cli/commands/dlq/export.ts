import { Command } from "commander";
import {
  DEAD_LETTER_HELP,
  type DeadLetterOptions,
  withDeadLetterOptions,
  withDlqOptions,
} from "../../options/dead-letter-options.ts";

export interface ExportOptions extends DeadLetterOptions {
  readonly csv: boolean;
  readonly force: boolean;
}

export const exportCommand = withDlqOptions(
  withDeadLetterOptions(new Command("export")),
  "with a file: print one JSON object, with the file's name and the count",
)
  .summary("write dead letters to a file; they stay in the queue")
  .description("Writes dead letters as JSONL, which `dlq import` reads. They stay in the queue.")
  .argument("[file]", "the file to write (default: the standard output)")
  .option("--csv", "write a table for spreadsheets, which cannot be imported again", false)
  .option("--force", "replace the file if it exists; follow a link; write into a device or a FIFO", false)
  .addHelpText(
    "after",
    `${DEAD_LETTER_HELP}

Exit codes:
  0    written
  1    the command failed
  2    only some could be read: another command holds the others, or SQS's in-flight limit was reached
  3    no dead letter matches the filters
  130  interrupted: no file was written

Examples:
  $ npx sluice dlq export cities.jsonl
  $ npx sluice dlq export --reason permanent --csv > permanent.csv
  $ npx sluice dlq export | jq -r .item.id`,
  )
  .action(async (file: string | undefined, options: ExportOptions) => {
    const { exportToFile } = await import("../../dlq/export-to-file.ts");
    await exportToFile(file, options);
  });
