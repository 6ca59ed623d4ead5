import { ConfigurationError } from "../../shared/base/errors.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { type RedriveResult, redrive } from "../../shared/dead-letters/redrive.ts";
import type { RedriveOptions } from "../commands/dlq/redrive.ts";
import { EXIT } from "../exit-code.ts";
import { confirm } from "../screens/confirm.ts";
import { placeOf } from "../screens/dlq/command-line.ts";
import { DeadLetterProgress } from "../screens/dlq/dead-letter-progress.ts";
import { Preview } from "../screens/dlq/preview.ts";
import { RedriveReport } from "../screens/dlq/redrive-report.ts";
import { count, plural } from "../screens/format.ts";
import { withOneTarget } from "../targets/dead-letter-target.ts";
import type { Target } from "../targets/target.ts";
import { workflowOf } from "../targets/target-workflow.ts";
import { editItems } from "./edit-items.ts";
import { interruptible } from "./interruptible.ts";
import { type ItemChange, itemChange } from "./item-change.ts";
import { scanExitCode } from "./scan-exit-code.ts";
import { scanWithProgress } from "./scan-with-progress.ts";
import { selection } from "./selection.ts";
import { loadTransform } from "./transform-file.ts";

/** How many items `--edit` opens at once. More are changed with `--set` or `--transform`. */
const MAX_EDITED = 100;

const SENDING = "Sending back";

type Selects = (deadLetter: DeadLetter) => boolean;

/** Sends dead letters back to the queue once the user has confirmed it, and sets the exit code. */
export async function redriveDeadLetters(ids: readonly string[], options: RedriveOptions): Promise<void> {
  process.exitCode = await withOneTarget(options, ids, (target) => redriveTarget(target, ids, options));
}

/** Returns the exit code. */
async function redriveTarget(target: Target, ids: readonly string[], options: RedriveOptions): Promise<number> {
  const report = new RedriveReport(target, options);
  let { selects, named } = await selection(target, ids, options);
  // The exit code of an earlier scan counts too, because the next scan selects only what the earlier scan showed.
  let earlierCode: number = EXIT.succeeded;
  let change: ItemChange | undefined;
  let invalid = 0;
  if (options.edit) {
    const opened = await edit(target, selects, options);
    if (opened !== undefined) {
      const { edited, result, selected } = opened;
      earlierCode = scanExitCode(result, selected, named);
      report.edited(edited);
      if (edited.changed.size === 0) return edited.invalid.length > 0 ? EXIT.partly : EXIT.failed;
      invalid = edited.invalid.length;
      selects = ({ id }) => edited.changed.has(id);
      named = edited.changed.size;
      change = async ({ id }) => edited.changed.get(id);
    }
  } else change = await changeByRule(target, options);
  let total = named;
  if (!options.yes || options.dryRun) {
    const preview = new Preview();
    const planned = await scan(target, options, {
      dryRun: true,
      select: preview.recording(selects),
      change: change && preview.recordingChanges(change),
    });
    report.planned(planned, preview);
    earlierCode = Math.max(earlierCode, codeOf(planned, invalid, named));
    const nothingToDo = planned.moved + planned.alreadyDone === 0;
    if (options.dryRun || nothingToDo || earlierCode === EXIT.interrupted) return earlierCode;
    if (!(await confirm(questionOf(planned, placeOf(target))))) {
      console.error("Nothing was sent.");
      return EXIT.failed;
    }
    // Items that died after the dry run were not shown, so they are not sent.
    selects = (deadLetter) => preview.has(deadLetter);
    named = planned.selected;
    total = planned.moved;
  }
  const done = await scan(target, options, { dryRun: false, select: selects, change, total });
  report.done(done);
  return Math.max(earlierCode, codeOf(done, invalid, named));
}

function questionOf({ moved, alreadyDone }: RedriveResult, place: string): string {
  return moved > 0
    ? `Send ${plural(moved, "dead letter")} of ${place} back to the queue?`
    : `Delete ${plural(alreadyDone, "dead letter")} of ${place}, whose items have succeeded since?`;
}

/** Opens the items in the editor. Returns `undefined` if no dead letter is selected. */
async function edit(target: Target, selects: Selects, { workflowFile }: RedriveOptions) {
  const workflow = await workflowOf(target, workflowFile);
  const deadLetters: DeadLetter[] = [];
  let selected = 0;
  const result = await scanWithProgress(target, (deadLetter) => {
    if (selects(deadLetter) && ++selected <= MAX_EDITED) deadLetters.push(deadLetter);
  });
  if (selected > MAX_EDITED) {
    throw new ConfigurationError(
      `--edit opens at most ${MAX_EDITED} items, and ${selected} are selected: select fewer with ids or filters, or change ` +
        "them with --set or --transform",
    );
  }
  return selected === 0 ? undefined : { edited: await editItems(workflow, deadLetters), result, selected };
}

async function changeByRule(
  target: Target,
  { set, transform, workflowFile }: RedriveOptions,
): Promise<ItemChange | undefined> {
  if (set === undefined && transform === undefined) return undefined;
  const workflow = await workflowOf(target, workflowFile);
  return itemChange(workflow, { set, transform: transform === undefined ? undefined : await loadTransform(transform) });
}

async function scan(
  { services, local }: Target,
  { rate }: RedriveOptions,
  options: {
    readonly dryRun: boolean;
    readonly select: Selects;
    readonly change: ItemChange | undefined;
    readonly total?: number | undefined;
  },
): Promise<RedriveResult> {
  const { dryRun, select, change, total } = options;
  const shown = new DeadLetterProgress(dryRun ? "Reading" : SENDING);
  const { deadLetterQueue, queue, ledger, runs } = services;
  let sent = 0;
  const showMoved = (verb: string, moved = sent) => {
    sent = moved;
    shown.turnTo(verb);
    shown.show(sent, total);
  };
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
        onProgress: (progress) => (dryRun ? shown.showScan(progress) : shown.showReturn(progress)),
        onMoved: (moved) => showMoved(SENDING, moved),
        room: { onFull: (messages) => showMoved(`The queue is full (${count(messages)} messages): waiting to send`) },
      }),
    );
  } finally {
    shown.end();
  }
}

function codeOf(result: RedriveResult, invalid: number, named: number | undefined): number {
  const code = scanExitCode(result, result.selected, named);
  const someStay = invalid > 0 || Object.keys(result.refused).length > 0;
  return code === EXIT.succeeded && someStay ? EXIT.partly : code;
}
