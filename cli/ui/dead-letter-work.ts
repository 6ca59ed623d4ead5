import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { browse } from "../../shared/dead-letters/browse.ts";
import { purge } from "../../shared/dead-letters/purge.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { redrive } from "../../shared/dead-letters/redrive.ts";
import type { ScanProgress, ScanResult } from "../../shared/dead-letters/scan.ts";
import { hasEnded } from "../../shared/ledger/run-record.ts";
import type { ItemEdits } from "../../ui/server/api.ts";
import type { DeadLetterWork, OnProgress, WorkResult } from "../../ui/server/place.ts";
import { Backup, backupName } from "../dlq/backup.ts";
import { scanNotes } from "../screens/dlq/scan-notes.ts";
import { plural } from "../screens/format.ts";
import type { Target } from "../targets/target.ts";
import { changeOf } from "./item-edits.ts";

/** Reads all dead letters of a workflow. */
export async function loadDeadLetters(
  target: Target,
  { see, signal, onProgress }: Omit<DeadLetterWork, "selects"> & { readonly see: (deadLetter: DeadLetter) => void },
): Promise<WorkResult> {
  const result = await browse(target.services.deadLetterQueue, see, {
    ...scanOptions(target, signal),
    onProgress: (progress) => showScan(progress, onProgress),
  });
  return { message: [`${plural(result.looked, "dead letter")} loaded.`, ...notesOf(result)].join(" ") };
}

/** Sends dead letters back, or says what would be sent. Also returns the runs that had ended and have pending items again. */
export async function redriveSelected(
  target: Target,
  work: DeadLetterWork & {
    readonly edits: ItemEdits;
    readonly dryRun: boolean;
    readonly ratePerSecond: number | undefined;
  },
): Promise<WorkResult & { readonly runs: readonly string[] }> {
  const { services } = target;
  const { selects, signal, onProgress, dryRun, ratePerSecond, edits } = work;
  const gone: string[] = [];
  const edit = await changeOf(target, edits);
  const result = await redrive({
    deadLetterQueue: services.deadLetterQueue,
    queue: services.queue,
    ledger: services.ledger,
    runs: services.runs,
    select: selects,
    edit,
    dryRun,
    ratePerSecond,
    ...scanOptions(target, signal),
    onProgress: (progress) => (dryRun ? showScan(progress, onProgress) : showReturn(progress, onProgress)),
    onMoved: (moved) => onProgress({ phase: "sending back", done: moved }),
    onGone: (ids) => gone.push(...ids),
    room: { onFull: () => onProgress({ phase: "the queue is full: waiting for the consumers" }) },
  });
  const { moved, edited, alreadyDone, refused, refusals, runs } = result;
  const stay = Object.entries(refused).map(([reason, number]) => `${plural(number, "dead letter")} stay: ${reason}.`);
  const verb = dryRun ? "would be sent back" : moved === 1 ? "was sent back" : "were sent back";
  const message = [
    `${plural(moved, "dead letter")} ${verb}${edited > 0 ? `, ${edited} of them with a changed item` : ""}.`,
    ...(alreadyDone > 0 ? [`${plural(alreadyDone, "item")} had succeeded since, so their dead letters go.`] : []),
    ...stay,
    ...notesOf(result),
  ].join(" ");
  return { message, refusals, gone, runs: await endedOf(target, Object.keys(runs)) };
}

/** The runs that have ended. Others go on by themselves, or the user has paused them. */
async function endedOf({ services }: Target, ids: readonly string[]): Promise<readonly string[]> {
  const runs = await Promise.all(ids.map((id) => services.runs.find(id)));
  return runs.flatMap((run) => (run !== undefined && hasEnded(run) ? [run.id] : []));
}

/** Deletes dead letters, each after it was written to a backup in the current directory. */
export async function purgeSelected(target: Target, work: DeadLetterWork): Promise<WorkResult> {
  const { services, workflow } = target;
  const { selects, signal, onProgress } = work;
  const backup = new Backup(join(process.cwd(), backupName(workflow)));
  const gone: string[] = [];
  let file: string | undefined;
  const result = await purge({
    deadLetterQueue: services.deadLetterQueue,
    ledger: services.ledger,
    select: selects,
    backup: (deadLetters) => backup.write(deadLetters),
    ...scanOptions(target, signal),
    onProgress: (progress) => showReturn(progress, onProgress),
    onDeleted: (deleted) => onProgress({ phase: "deleting", done: deleted }),
    onGone: (ids) => gone.push(...ids),
  }).finally(async () => {
    file = await backup.finish();
  });
  const kept = file === undefined ? "" : ` They are in ${file}; npx sluice dlq import puts them back.`;
  const verb = result.deleted === 1 ? "was" : "were";
  return {
    message: [`${plural(result.deleted, "dead letter")} ${verb} deleted.${kept}`, ...notesOf(result)].join(" "),
    gone,
  };
}

const scanOptions = ({ local }: Target, signal: AbortSignal) => ({ signal, exactCounts: local !== undefined });

function showScan({ looked, total, givenBack }: ScanProgress, onProgress: OnProgress): void {
  onProgress(
    givenBack > 0
      ? { phase: "making them visible again", done: givenBack, total: looked }
      : { phase: "receiving", done: looked, total },
  );
}

/** The dead letters that stay are made visible again after the work. */
function showReturn({ looked, givenBack }: ScanProgress, onProgress: OnProgress): void {
  if (givenBack > 0) onProgress({ phase: "making the others visible again", done: givenBack, total: looked });
}

const notesOf = (result: ScanResult): readonly string[] =>
  result.stoppedBy === "interruption"
    ? ["Stopped before the end."]
    : scanNotes(result, {}).map((note) => stripVTControlCharacters(note));
