import { Command } from "commander";
import { type DlqOptions, withDlqOptions } from "../../options/dead-letter-options.ts";

export interface ImportOptions extends DlqOptions {
  readonly dryRun: boolean;
}

export const importCommand = withDlqOptions(new Command("import"), "print one JSON object, with the counts")
  .summary("put exported dead letters back into the dead-letter queue")
  .description(
    "Puts the dead letters of an export, or of a purge's backup, back into the dead-letter queue. The command can be " +
      "repeated: it skips dead letters that are already there, and items that are pending again or have succeeded since.",
  )
  .argument("<file>", "a file that `dlq export` wrote; - is the standard input")
  .option("--dry-run", "only say what would be put back", false)
  .addHelpText(
    "after",
    `
Exit codes:
  0    every dead letter is in the queue, or was skipped
  1    the command failed
  2    some lines are not dead letters or were refused, or nothing was put back because another command holds dead letters
  130  interrupted: the command says what was put back; run it again for the rest

Examples:
  $ npx sluice dlq import cities.jsonl
  $ npx sluice dlq import dead-letters-cities-20261125-081530.jsonl --dry-run
  $ jq -c 'select(.reason == "permanent")' cities.jsonl | npx sluice dlq import -`,
  )
  .action(async (file: string, options: ImportOptions) => {
    const { importFromFile } = await import("../../dlq/import-from-file.ts");
    await importFromFile(file, options);
  });
