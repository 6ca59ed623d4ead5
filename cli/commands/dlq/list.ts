import { Command, Option } from "commander";
import {
  DEAD_LETTER_HELP,
  type DeadLetterOptions,
  withDeadLetterOptions,
  withDlqOptions,
} from "../../options/dead-letter-options.ts";
import { LISTINGS, type Listing } from "../../options/listing.ts";
import { positiveInteger } from "../../options/positive-integer.ts";

export interface ListOptions extends DeadLetterOptions {
  readonly by: Listing;
  /** Default: what fits on the terminal; without a terminal, 50. */
  readonly limit?: number;
}

export const listCommand = withDlqOptions(
  withDeadLetterOptions(new Command("list")),
  "print one JSON object per group (or dead letter); the last object of each workflow holds its totals",
)
  .summary("show why items died: dead letters in groups")
  .description("Lists dead letters, grouped by their error, with one example of each group. They stay in the queue.")
  .addOption(
    new Option("--by <what>", "what to group by; dead-letter lists each dead letter")
      .choices(LISTINGS)
      .default("error"),
  )
  .option(
    "--limit <n>",
    "show at most this many groups or dead letters (default: 50, and on a terminal as many as fit)",
    positiveInteger,
  )
  .addHelpText(
    "after",
    `${DEAD_LETTER_HELP}

Exit codes:
  0    listed, or there are no dead letters
  1    the command failed
  2    only some could be read: another command holds the others, or SQS's in-flight limit was reached
  3    no dead letter matches the filters
  130  interrupted: the list shows what was read until then

Examples:
  $ npx sluice dlq
  $ npx sluice dlq list --by run --since 2h
  $ npx sluice dlq list --by dead-letter --reason permanent
  $ npx sluice dlq list --workflow cities --json
  $ npx sluice dlq list --stack sluice-cities --region eu-west-1`,
  )
  .action(async (options: ListOptions) => {
    const { listDeadLetters } = await import("../../dlq/list-dead-letters.ts");
    await listDeadLetters(options);
  });
