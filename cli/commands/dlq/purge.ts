import { Command, Option } from "commander";
import {
  DEAD_LETTER_HELP,
  type DeadLetterOptions,
  withDeadLetterOptions,
  withDlqOptions,
} from "../../options/dead-letter-options.ts";

export interface PurgeOptions extends DeadLetterOptions {
  readonly yes: boolean;
  readonly dryRun: boolean;
  /** The backup's file; `true`: the default name; `false`: no backup. */
  readonly backup: string | boolean;
}

export const purgeCommand = withDlqOptions(
  withDeadLetterOptions(
    new Command("purge").argument("[ids...]", "ids, or the starts of ids (default: all that match the filters)"),
  ),
  "print one JSON object for the dry run, and one for what was done",
)
  .summary("delete dead letters, after a backup")
  .description(
    "Writes dead letters to a backup file, and then deletes them. `dlq import` can put them back from the file.",
  )
  .option("--dry-run", "only show what would be deleted", false)
  .option("--yes", "do not ask for confirmation", false)
  .addOption(
    new Option("--backup <file>", "the file for the backup").default(true, "dead-letters-<workflow>-<time>.jsonl"),
  )
  .option("--no-backup", "write no backup")
  .addHelpText(
    "after",
    `${DEAD_LETTER_HELP}

Exit codes:
  0    deleted (or with --dry-run: could be deleted), or there are no dead letters
  1    the command failed, or you did not confirm
  2    some were not deleted, and the command says why
  3    no dead letter matches
  130  interrupted: the command says what was deleted, and the backup holds it

Examples:
  $ npx sluice dlq purge --reason invalid-item
  $ npx sluice dlq purge --run 20261122-081530-3fa9 --yes
  $ npx sluice dlq purge 8c1f02ab --backup gone.jsonl
  $ npx sluice dlq purge --stack sluice-cities --dry-run`,
  )
  .action(async (ids: string[], options: PurgeOptions) => {
    const { purgeDeadLetters } = await import("../../dlq/purge-dead-letters.ts");
    await purgeDeadLetters(ids, options);
  });
