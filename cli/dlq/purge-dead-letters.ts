import { type PurgeResult, purge } from "../../shared/dead-letters/purge.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { PurgeOptions } from "../commands/dlq/purge.ts";
import { EXIT } from "../exit-code.ts";
import { confirmByTyping } from "../screens/confirm.ts";
import { placeOf } from "../screens/dlq/command-line.ts";
import { DeadLetterProgress } from "../screens/dlq/dead-letter-progress.ts";
import { Preview } from "../screens/dlq/preview.ts";
import { PurgeReport } from "../screens/dlq/purge-report.ts";
import { plural } from "../screens/format.ts";
import { remark } from "../screens/paragraph.ts";
import { withOneTarget } from "../targets/dead-letter-target.ts";
import type { Target } from "../targets/target.ts";
import { Backup, backupName } from "./backup.ts";
import { interruptible } from "./interruptible.ts";
import { scanExitCode } from "./scan-exit-code.ts";
import { selection } from "./selection.ts";

/** Deletes dead letters once the user has confirmed it, and sets the exit code. */
export async function purgeDeadLetters(ids: readonly string[], options: PurgeOptions): Promise<void> {
  process.exitCode = await withOneTarget(options, ids, (target) => purgeTarget(target, ids, options));
}

/** Returns the exit code. */
async function purgeTarget(target: Target, ids: readonly string[], options: PurgeOptions): Promise<number> {
  const { yes, dryRun } = options;
  const report = new PurgeReport(target, options);
  let { selects, named } = await selection(target, ids, options);
  // The exit code of the dry run counts too, because the second scan selects only what the dry run showed.
  let dryRunCode: number = EXIT.succeeded;
  const path = backupPath(target, options);
  let total: number | undefined;
  if (!yes || dryRun) {
    const preview = new Preview();
    const planned = await scan(target, { select: preview.recording(selects) });
    report.planned(planned, preview);
    dryRunCode = codeOf(planned, named);
    if (dryRun || planned.selected === 0 || dryRunCode === EXIT.interrupted) return dryRunCode;
    const kept = path === undefined ? "No backup is written." : `They are written to ${path} first.`;
    const question = `Delete ${plural(planned.selected, "dead letter")} of ${placeOf(target)}? ${kept}`;
    if (!(await confirmByTyping(question, String(planned.selected)))) {
      console.error("Nothing was deleted.");
      return EXIT.failed;
    }
    // Items that died after the dry run were not shown, so they are not deleted.
    selects = (deadLetter) => preview.has(deadLetter);
    named = planned.selected;
    total = named;
  }
  const backup = path === undefined ? undefined : new Backup(path);
  let file: string | undefined;
  let done: PurgeResult | undefined;
  try {
    done = await scan(target, { select: selects, total, deleteTo: backup ?? "nowhere" });
  } finally {
    file = await backup?.finish();
    if (done === undefined && file !== undefined)
      remark(`The dead letters that were deleted until then are in ${file}.`);
  }
  report.done(done, file);
  return Math.max(dryRunCode, codeOf(done, named));
}

function backupPath({ workflow }: Target, { backup }: PurgeOptions): string | undefined {
  if (backup === false) return undefined;
  return backup === true ? backupName(workflow) : backup;
}

async function scan(
  { services, local }: Target,
  options: {
    readonly select: (deadLetter: DeadLetter) => boolean;
    readonly total?: number | undefined;
    /** If it is left out, nothing is deleted. */
    readonly deleteTo?: Backup | "nowhere";
  },
): Promise<PurgeResult> {
  const { select, total, deleteTo } = options;
  const shown = new DeadLetterProgress(deleteTo === undefined ? "Reading" : "Deleting");
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
        onProgress: (progress) => (deleteTo === undefined ? shown.showScan(progress) : shown.showReturn(progress)),
        onDeleted: (deleted) => shown.show(deleted, total),
      }),
    );
  } finally {
    shown.end();
  }
}

function codeOf(result: PurgeResult, named: number | undefined): number {
  const code = scanExitCode(result, result.selected + result.newer, named);
  return code === EXIT.succeeded && result.leftBehind + result.newer > 0 ? EXIT.partly : code;
}
