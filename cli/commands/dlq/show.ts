import { Command } from "commander";
import { type DlqOptions, withDlqOptions } from "../../options/dead-letter-options.ts";

export interface ShowOptions extends DlqOptions {
  /** Whether a terminal gets long parts whole. */
  readonly full: boolean;
}

export const showCommand = withDlqOptions(new Command("show"), "print one JSON object, with the message's body")
  .summary("show one dead letter: its item, its attempts, its stack traces")
  .description("Shows everything about one dead letter. It stays in the queue.")
  .argument("<id>", "the dead letter's id, or the start of the id; or a group's id: its latest dead letter")
  .option(
    "--full",
    "show long errors, items and stacks whole on a terminal, too; elsewhere they are always whole",
    false,
  )
  .addHelpText(
    "after",
    `
Exit codes:
  0    shown
  1    there is no such dead letter, or the command failed
  2    not found, but another command holds some dead letters that could not be read

Examples:
  $ npx sluice dlq show 8c1f02ab
  $ npx sluice dlq show 8c1f02ab --full
  $ npx sluice dlq show 8c1f02ab --json | jq .item
  $ npx sluice dlq show 8c1f02ab --stack sluice-cities`,
  )
  .action(async (id: string, options: ShowOptions) => {
    const { showDeadLetter } = await import("../../dlq/show-dead-letter.ts");
    await showDeadLetter(id, options);
  });
