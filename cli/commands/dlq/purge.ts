import { Command, Option } from "commander";
import { type PurgeResult, purge } from "../../../shared/dead-letters/purge.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { Backup, backupName } from "../../dlq/backup.ts";
import { interruptible } from "../../dlq/interruptible.ts";
import { passCode } from "../../dlq/scan-exit-code.ts";
import { selection } from "../../dlq/selection.ts";
import { EXIT } from "../../exit-code.ts";
import {
  DEAD_LETTER_HELP,
  type DeadLetterOptions,
  withDeadLetterOptions,
  withDlqOptions,
} from "../../options/dead-letter-options.ts";
import { confirmByTyping } from "../../screens/confirm.ts";
import { writeJson } from "../../screens/display.ts";
import { dlqCommand, placeOf } from "../../screens/dlq/command-line.ts";
import { Counting } from "../../screens/dlq/dead-letter-progress.ts";
import { Preview } from "../../screens/dlq/preview.ts";
import { lookedAtWords, noneOf } from "../../screens/dlq/scan-counts.ts";
import { passNotes } from "../../screens/dlq/scan-notes.ts";
import { count, plural, style } from "../../screens/format.ts";
import { nextSteps } from "../../screens/next-steps.ts";
import { remark, say } from "../../screens/paragraph.ts";
import { withOneTarget } from "../../targets/dead-letter-target.ts";
import type { Target } from "../../targets/target.ts";

interface PurgeCommandOptions extends DeadLetterOptions {
  readonly yes: boolean;
  readonly dryRun: boolean;
  /** A file; `true`: one of our naming; `false`: none. */
  readonly backup: string | boolean;
}

export const purgeCommand = withDlqOptions(
  withDeadLetterOptions(
    new Command("purge").argument("[ids...]", "of dead letters, or how they begin (default: all that fit)"),
  ),
  "one JSON object for the dry run, one for what was done",
)
  .summary("delete dead letters, after a backup")
  .description("Deletes dead letters. Each is written to a file first, from which `dlq import` takes it back.")
  .option("--dry-run", "only show what would be deleted", false)
  .option("--yes", "do not ask", false)
  .addOption(new Option("--backup <file>", "where to keep them").default(true, "dead-letters-<workflow>-<time>.jsonl"))
  .option("--no-backup", "keep nothing of them")
  .addHelpText(
    "after",
    `${DEAD_LETTER_HELP}

Exit codes:
  0    deleted (or with --dry-run: could be), or there are no dead letters
  1    it could not be done, or you did not confirm
  2    some stay, and it is said why
  3    no dead letter fits
  130  interrupted: what was deleted is said, and is in the backup

Examples:
  $ npx sluice dlq purge --reason invalid-item
  $ npx sluice dlq purge --run 20261122-081530-3fa9 --yes
  $ npx sluice dlq purge 8c1f02ab --backup gone.jsonl
  $ npx sluice dlq purge --stack sluice-cities --dry-run`,
  )
  .action(async (ids: string[], options: PurgeCommandOptions) => {
    process.exitCode = await withOneTarget(options, ids, (target) => purgeDeadLetters(target, ids, options));
  });

/** Returns the exit code. */
async function purgeDeadLetters(target: Target, ids: readonly string[], options: PurgeCommandOptions): Promise<number> {
  const { backup: to, yes, dryRun } = options;
  let { isMeant: select, named } = await selection(target, ids, options);
  // What others held already when it was shown is not among what was shown.
  let planCode: number = EXIT.succeeded;
  const path = to === false ? undefined : to === true ? backupName(target.workflow) : to;
  let total: number | undefined;
  if (!yes || dryRun) {
    const preview = new Preview();
    const planned = await pass(target, {
      select: (deadLetter) => {
        const meant = select(deadLetter);
        if (meant) preview.add(deadLetter);
        return meant;
      },
    });
    tellPlan(target, planned, preview, options);
    planCode = codeOf(planned, named);
    if (dryRun || planned.selected === 0 || planCode === EXIT.interrupted) return planCode;
    const kept = path === undefined ? "No backup is written." : `They are written to ${path} first.`;
    const question = `Delete ${plural(planned.selected, "dead letter")} of ${placeOf(target)}? ${kept}`;
    if (!(await confirmByTyping(question, String(planned.selected)))) {
      console.error("Nothing was deleted.");
      return EXIT.failed;
    }
    // What has died since was not shown.
    select = (deadLetter) => preview.has(deadLetter);
    named = planned.selected;
    total = named;
  }
  const backup = path === undefined ? undefined : new Backup(path);
  let file: string | undefined;
  let done: PurgeResult | undefined;
  try {
    done = await pass(target, { select, total, deleteTo: backup ?? "nowhere" });
  } finally {
    file = await backup?.finish();
    if (done === undefined && file !== undefined) remark(`What was deleted until then is in ${file}.`);
  }
  tellEnd(target, done, file, options);
  return Math.max(planCode, codeOf(done, named));
}

async function pass(
  { services, local }: Target,
  options: {
    readonly select: (deadLetter: DeadLetter) => boolean;
    readonly total?: number | undefined;
    /** Absent: nothing is deleted. */
    readonly deleteTo?: Backup | "nowhere";
  },
): Promise<PurgeResult> {
  const { select, total, deleteTo } = options;
  const counting = new Counting(deleteTo === undefined ? "Looking at" : "Deleting");
  try {
    return await interruptible((signal) =>
      purge({
        deadLetterQueue: services.deadLetterQueue,
        ledger: services.ledger,
        select,
        dryRun: deleteTo === undefined,
        backup: deleteTo instanceof Backup ? (deadLetters) => deleteTo.write(deadLetters) : undefined,
        signal,
        exactCounts: local !== undefined,
        onProgress: (progress) =>
          deleteTo === undefined ? counting.showPass(progress) : counting.showGivingBack(progress),
        onDeleted: (deleted) => counting.show(deleted, total),
      }),
    );
  } finally {
    counting.end();
  }
}

function tellPlan(target: Target, planned: PurgeResult, preview: Preview, options: PurgeCommandOptions): void {
  const { selected } = planned;
  if (options.json) {
    writeJson({ type: "planned", workflow: target.workflow, ...planned, stoppedBy: planned.stoppedBy ?? null });
    return;
  }
  tellNewer(planned);
  if (selected === 0) remark(noneOf(target, planned));
  else {
    const deleted = `${count(selected)} of ${lookedAtWords(planned)} of ${placeOf(target)}`;
    say(`${style("bold", "Dry run:")} ${deleted} would be deleted.\n`);
    say(`${preview.toText()}\n`);
  }
  tellNotes(planned, options);
}

function tellEnd(target: Target, done: PurgeResult, file: string | undefined, options: PurgeCommandOptions): void {
  const { selected, deleted, leftBehind, stoppedBy = null } = done;
  if (options.json) {
    writeJson({ type: "purged", workflow: target.workflow, ...done, stoppedBy, backup: file ?? null });
    return;
  }
  if (selected === 0 && stoppedBy === null) {
    remark(noneOf(target, done));
    tellNewer(done);
    tellNotes(done, options);
    return;
  }
  const one = deleted === 1;
  say(
    `${stoppedBy === "interruption" ? `${style("yellow", "Interrupted:")} ` : ""}${plural(deleted, "dead letter")} of ` +
      `${placeOf(target)} ${one ? "was" : "were"} deleted${file === undefined ? "" : `, and ${one ? "is" : "are"} in ${file}`}.`,
  );
  if (leftBehind > 0) say(style("red", `SQS would not delete ${count(leftBehind)}: type it again.`));
  tellNewer(done);
  tellNotes(done, options);
  if (file !== undefined && deleted > 0) {
    console.log(
      `\n${nextSteps([[dlqCommand(`import ${file}`, target, options, options.workflow), "puts them back"]])}`,
    );
  }
}

function tellNewer({ newer }: PurgeResult): void {
  if (newer === 0) return;
  say(
    style(
      "red",
      `${plural(newer, "dead letter")} of a newer version of Sluice ${newer === 1 ? "was" : "were"} left: delete with that version.`,
    ),
  );
}

function tellNotes(result: PurgeResult, options: PurgeCommandOptions): void {
  const stoppedBy = result.stoppedBy === "interruption" ? undefined : result.stoppedBy;
  for (const note of passNotes({ ...result, stoppedBy }, options)) console.log(note);
}

function codeOf(result: PurgeResult, named: number | undefined): number {
  const code = passCode(result, result.selected + result.newer, named);
  return code === EXIT.succeeded && result.leftBehind + result.newer > 0 ? EXIT.partly : code;
}
