import { Command, Option } from "commander";
import { ConfigurationError } from "../../../shared/base/errors.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { type RedriveResult, redrive } from "../../../shared/dead-letters/redrive.ts";
import { editItems } from "../../dlq/edit-items.ts";
import { interruptible } from "../../dlq/interruptible.ts";
import { type ItemChange, itemChange } from "../../dlq/item-change.ts";
import { passCode } from "../../dlq/scan-exit-code.ts";
import { look } from "../../dlq/scan-with-progress.ts";
import { selection } from "../../dlq/selection.ts";
import { type Assignment, assignment } from "../../dlq/set-values.ts";
import { loadTransform } from "../../dlq/transform-file.ts";
import { EXIT } from "../../exit-code.ts";
import {
  DEAD_LETTER_HELP,
  type DeadLetterOptions,
  withDeadLetterOptions,
  withDlqOptions,
} from "../../options/dead-letter-options.ts";
import { positiveNumber } from "../../options/positive-number.ts";
import { confirm } from "../../screens/confirm.ts";
import { placeOf } from "../../screens/dlq/command-line.ts";
import { Counting } from "../../screens/dlq/dead-letter-progress.ts";
import { Preview } from "../../screens/dlq/preview.ts";
import { RedriveReport } from "../../screens/dlq/redrive-report.ts";
import { plural } from "../../screens/format.ts";
import { withOneTarget } from "../../targets/dead-letter-target.ts";
import type { Target } from "../../targets/target.ts";
import { workflowOf } from "../../targets/target-workflow.ts";

interface RedriveCommandOptions extends DeadLetterOptions {
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly rate?: number;
  readonly edit: boolean;
  readonly set?: readonly Assignment[];
  readonly transform?: string;
  readonly workflowFile?: string;
}

/** Items that one editor opens at the most: more are changed by rule. */
const MOST_EDITED = 100;

export const redriveCommand = withDlqOptions(
  withDeadLetterOptions(
    new Command("redrive").argument("[ids...]", "of dead letters, or how they begin (default: all that fit)"),
  ),
  "one JSON object for the dry run, one for what was done",
)
  .summary("send dead letters back to the queue, changed or as they are")
  .description(
    "Sends dead letters back: each gets fresh attempts, keeps its history and counts as pending in its run again. What would " +
      "be sent is shown and asked for first.",
  )
  .option("--dry-run", "only show what would be sent", false)
  .option("--yes", "do not ask", false)
  .option(
    "--rate <n>",
    "dead letters a second at the most, such as 50 or 0.5 (default: as fast as it goes)",
    positiveNumber,
  )
  .addOption(
    new Option("--edit", "open the items in $VISUAL or $EDITOR, and send what you change")
      .default(false)
      .conflicts(["set", "transform"]),
  )
  .option(
    "--set <path=value>",
    "set a value in each item: a JSON value, or else a text; may be given more than once",
    assignment,
  )
  .option(
    "--transform <file>",
    "change each item by the function (item, deadLetter) => item that a .ts or .js file exports",
  )
  .option("--workflow-file <file>", "whose schema changed items must pass (default: as it was run, or of workflows/)")
  .addHelpText(
    "after",
    `${DEAD_LETTER_HELP}

A changed item must pass the workflow's schema; one that does not stays in the
dead-letter queue, and is named. In the editor, an item that is left as it is or
deleted stays as well. A transform is called twice for a dead letter, in the dry run
and when it is sent; if it throws or returns nothing, the dead letter stays.

Exit codes:
  0    sent (or with --dry-run: could be), or there are no dead letters
  1    it could not be done, or you said no
  2    some stay, and it is said why
  3    no dead letter fits
  130  interrupted: what was sent is said, all others stay

Examples:
  $ npx sluice dlq redrive 8c1f02ab
  $ npx sluice dlq redrive --reason exhausted --since 2h --rate 50
  $ npx sluice dlq redrive 8c1f02ab --edit
  $ npx sluice dlq redrive --error 3fa9c1d2 --set country=FR --set zip='"01234"'
  $ npx sluice dlq redrive --error 3fa9c1d2 --transform ./mend.ts --dry-run
  $ npx sluice dlq redrive --reason exhausted --yes --stack sluice-cities`,
  )
  .action(async (ids: string[], options: RedriveCommandOptions) => {
    process.exitCode = await withOneTarget(options, ids, (target) => redriveDeadLetters(target, ids, options));
  });

/** Returns the exit code. */
async function redriveDeadLetters(
  target: Target,
  ids: readonly string[],
  options: RedriveCommandOptions,
): Promise<number> {
  const report = new RedriveReport(target, options);
  let { isMeant: select, named } = await selection(target, ids, options);
  // What others held already when it was shown is not among what was shown.
  let planCode: number = EXIT.succeeded;
  let change: ItemChange | undefined;
  let stay = 0;
  if (options.edit) {
    const opened = await edit(target, select, options);
    if (opened !== undefined) {
      const { edited, result, meant } = opened;
      planCode = passCode(result, meant, named);
      report.edited(edited);
      if (edited.changed.size === 0) return edited.invalid.length > 0 ? EXIT.partly : EXIT.failed;
      stay = edited.invalid.length;
      select = ({ id }) => edited.changed.has(id);
      named = edited.changed.size;
      change = async ({ id }) => edited.changed.get(id);
    }
  } else change = await changeByRule(target, options);
  let total = named;
  if (!options.yes || options.dryRun) {
    const preview = new Preview();
    const planned = await pass(target, options, {
      dryRun: true,
      select: (deadLetter) => {
        const meant = select(deadLetter);
        if (meant) preview.add(deadLetter);
        return meant;
      },
      change: change && preview.watch(change),
    });
    report.planned(planned, preview);
    planCode = Math.max(planCode, codeOf(planned, stay, named));
    if (options.dryRun || planned.moved + planned.alreadyDone === 0 || planCode === EXIT.interrupted) return planCode;
    if (!(await confirm(questionOf(planned, placeOf(target))))) {
      console.error("Nothing was sent.");
      return EXIT.failed;
    }
    // What has died since was not shown.
    select = (deadLetter) => preview.has(deadLetter);
    named = planned.selected;
    total = planned.moved;
  }
  const done = await pass(target, options, { dryRun: false, select, change, total });
  report.done(done);
  return Math.max(planCode, codeOf(done, stay, named));
}

function questionOf({ moved, alreadyDone }: RedriveResult, place: string): string {
  return moved > 0
    ? `Send ${plural(moved, "dead letter")} of ${place} back to the queue?`
    : `Take ${plural(alreadyDone, "dead letter")} of ${place} off the queue?`;
}

/** The dead letters' items as a person left them in the editor; `undefined` where no dead letter is meant. */
async function edit(
  target: Target,
  select: (deadLetter: DeadLetter) => boolean,
  { workflowFile }: RedriveCommandOptions,
) {
  const workflow = await workflowOf(target, workflowFile);
  const deadLetters: DeadLetter[] = [];
  let meant = 0;
  const result = await look(target, (deadLetter) => {
    if (select(deadLetter) && ++meant <= MOST_EDITED) deadLetters.push(deadLetter);
  });
  if (meant > MOST_EDITED) {
    throw new ConfigurationError(
      `--edit opens ${MOST_EDITED} items at the most, and these are ${meant}: name fewer, or change them with --set or --transform`,
    );
  }
  return meant === 0 ? undefined : { edited: await editItems(workflow, deadLetters), result, meant };
}

async function changeByRule(
  target: Target,
  { set, transform, workflowFile }: RedriveCommandOptions,
): Promise<ItemChange | undefined> {
  if (set === undefined && transform === undefined) return undefined;
  const workflow = await workflowOf(target, workflowFile);
  return itemChange(workflow, { set, transform: transform === undefined ? undefined : await loadTransform(transform) });
}

async function pass(
  { services, local }: Target,
  { rate }: RedriveCommandOptions,
  options: {
    readonly dryRun: boolean;
    readonly select: (deadLetter: DeadLetter) => boolean;
    readonly change: ItemChange | undefined;
    readonly total?: number | undefined;
  },
): Promise<RedriveResult> {
  const { dryRun, select, change, total } = options;
  const counting = new Counting(dryRun ? "Looking at" : "Sending back");
  const { deadLetterQueue, queue, ledger, runs } = services;
  try {
    return await interruptible((signal) =>
      redrive({
        deadLetterQueue,
        queue,
        ledger,
        runs,
        dryRun,
        select,
        edit: change,
        ratePerSecond: rate,
        signal,
        exactCounts: local !== undefined,
        onProgress: (progress) => (dryRun ? counting.showPass(progress) : counting.showGivingBack(progress)),
        onMoved: (moved) => counting.show(moved, total),
      }),
    );
  } finally {
    counting.end();
  }
}

function codeOf(result: RedriveResult, stay: number, named: number | undefined): number {
  const code = passCode(result, result.selected, named);
  const some = stay > 0 || Object.keys(result.refused).length > 0;
  return code === EXIT.succeeded && some ? EXIT.partly : code;
}
