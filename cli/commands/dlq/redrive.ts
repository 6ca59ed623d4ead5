import { Command, Option } from "commander";
import { type Assignment, assignment } from "../../options/assignment.ts";
import {
  DEAD_LETTER_HELP,
  type DeadLetterOptions,
  withDeadLetterOptions,
  withDlqOptions,
} from "../../options/dead-letter-options.ts";
import { positiveNumber } from "../../options/positive-number.ts";

export interface RedriveOptions extends DeadLetterOptions {
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly rate?: number;
  readonly edit: boolean;
  readonly set?: readonly Assignment[];
  readonly transform?: string;
  readonly workflowFile?: string;
}

export const redriveCommand = withDlqOptions(
  withDeadLetterOptions(
    new Command("redrive").argument("[ids...]", "ids, or the starts of ids (default: all that match the filters)"),
  ),
  "print one JSON object for the dry run, and one for what was done",
)
  .summary("send dead letters back to the queue, changed or as they are")
  .description(
    "Sends dead letters back to the queue. Each item gets all its attempts again, keeps its history, and counts as pending " +
      "in its run. The command first shows what it would send, and asks for confirmation.",
  )
  .option("--dry-run", "only show what would be sent", false)
  .option("--yes", "do not ask for confirmation", false)
  .option("--rate <n>", "send at most this many per second, such as 50 or 0.5 (default: no limit)", positiveNumber)
  .addOption(
    new Option("--edit", "open the items in $VISUAL or $EDITOR, and send those that you change")
      .default(false)
      .conflicts(["set", "transform"]),
  )
  .option(
    "--set <path=value>",
    "set a field of each item; the value is JSON, or else text: id=5 is a number, 'zip=\"3000\"' a text; can be repeated",
    assignment,
  )
  .option(
    "--transform <file>",
    "change each item with the function (item, deadLetter) => item that a .ts or .js file exports as default",
  )
  .option(
    "--workflow-file <file>",
    "the workflow's file, for the schema that changed items must pass (default: the file that was run, or workflows/<name>)",
  )
  .addHelpText(
    "after",
    `${DEAD_LETTER_HELP}

A changed item must pass the workflow's schema. If an item fails the schema, it
stays in the dead-letter queue, and the command names it. With --edit, items that
you leave unchanged or delete also stay. A transform is called twice for each dead
letter: in the dry run, and when the dead letter is sent. If the transform throws
or returns nothing, the dead letter stays.

Exit codes:
  0    sent (or with --dry-run: could be sent), or there are no dead letters
  1    the command failed, or you did not confirm
  2    some were not sent, and the command says why
  3    no dead letter matches
  130  interrupted: the command says what was sent; all others stay

Examples:
  $ npx sluice dlq redrive 8c1f02ab
  $ npx sluice dlq redrive --reason exhausted --since 2h --rate 50
  $ npx sluice dlq redrive 8c1f02ab --edit
  $ npx sluice dlq redrive --error 3fa9c1d2 --set country=FR --set zip='"01234"'
  $ npx sluice dlq redrive --error 3fa9c1d2 --transform ./fix.ts --dry-run
  $ npx sluice dlq redrive --reason exhausted --yes --stack sluice-cities`,
  )
  .action(async (ids: string[], options: RedriveOptions) => {
    const { redriveDeadLetters } = await import("../../dlq/redrive-dead-letters.ts");
    await redriveDeadLetters(ids, options);
  });
