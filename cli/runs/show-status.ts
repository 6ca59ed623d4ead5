import { overviewOf } from "../../shared/ledger/run-overview.ts";
import { type Counts, isActive } from "../../shared/ledger/run-record.ts";
import { fleetOf } from "../../shared/observe/fleet-facts.ts";
import { statusText, wallSecondsOf } from "../../shared/observe/run-status.ts";
import type { StatusOptions } from "../commands/status.ts";
import { count, plural, seconds, style } from "../screens/format.ts";
import { paragraph, say } from "../screens/paragraph.ts";
import { runDetails, runHeadline, terminalLayout } from "../screens/run-details.ts";
import { runJson } from "../screens/run-json.ts";
import { fittingRuns, type ListedRun, type RunRow, roomForRuns, runTable } from "../screens/run-table.ts";
import { linesOf, roomOf, widthOf } from "../screens/terminal-width.ts";
import { writeJson } from "../screens/write-json.ts";
import { latestAndActive, targets, unrequestedRunOf, withRun } from "../targets/find-run.ts";
import type { RunTarget } from "../targets/target.ts";
import { watchRun } from "./watch-run.ts";

/** How many of a workflow's latest runs are listed, besides its active runs. */
const LISTED = 20;

/** Lists runs, shows one, or shows one again and again until it has ended. */
export async function showStatus(run: string | undefined, options: StatusOptions): Promise<void> {
  if (options.watch) await watchRun(run, options);
  else if (run === undefined) await listRuns(options);
  else {
    await withRun(
      run,
      options,
      async (target) => {
        const { runs } = target.services;
        const counts = await runs.counts(target.run);
        const shown = { ...target, run: await overviewOf(target.services.ledger.store, target.run) };
        if (options.json) writeJson(runJson(shown, counts));
        else {
          const details = paragraph(runDetails(shown, counts, await fleetOf(target), terminalLayout()));
          console.log(details);
          const room = roomOf(process.stdout);
          if (room !== undefined && linesOf(details) > room) say(`\n${runHeadline(shown)}`);
        }
      },
      { showsSkipped: true },
    );
  }
}

async function listRuns(options: StatusOptions): Promise<void> {
  const { json } = options;
  const listed: ListedRun[] = [];
  const notes: string[] = [];
  for await (const target of targets(options)) {
    const { services } = target;
    const unrequested = await unrequestedRunOf(target);
    if (unrequested !== undefined) {
      const { run, name } = unrequested;
      notes.push(`Run ${run} of ${name} was interrupted before it began. Begin it with: npx sluice resume ${name}`);
    }
    for (const run of await latestAndActive(services.runs, options.limit ?? LISTED)) {
      const counts = await services.runs.counts(run);
      if (json) writeJson(runJson({ ...target, run }, counts));
      listed.push({ row: rowOf({ ...target, run }, counts), isActive: isActive(run) });
    }
  }
  if (json) {
    for (const message of notes) writeJson({ type: "message", message });
    return;
  }
  const start = options.stack === undefined ? "npx sluice run <workflow>" : "npx sluice start <workflow> --stack";
  if (listed.length > 0) printRuns(listed, notes, options);
  else if (notes.length === 0) say(`No workflow has been run here yet. Run one with: ${start}`);
  for (const note of notes) say(note);
}

/** Prints the list of runs. If the user does not say how many, a terminal gets as many as it has room for. */
function printRuns(listed: readonly ListedRun[], notes: readonly string[], { limit }: StatusOptions): void {
  const { stdout } = process;
  const room = limit === undefined ? roomOf(stdout) : undefined;
  const broken = notes.map((note) => paragraph(note));
  const all = fittingRuns(listed, roomForRuns(room, broken));
  const shown = all.length === listed.length ? all : fittingRuns(listed, roomForRuns(room, [...broken, ""]));
  const rows = shown.map(({ row }) => row);
  console.log(runTable(rows, stdout.isTTY ? widthOf(stdout) : undefined));
  const unshown = listed.length - shown.length;
  if (unshown > 0) console.log(style("dim", `${count(unshown)} more. Show them with: --limit ${LISTED}`));
}

function rowOf(target: RunTarget, counts: Counts): RunRow {
  const { run } = target;
  const { produced, succeeded, dead, pending, cancelled, retried } = counts;
  const warnings = run.warnings.length > 0 ? `, ${plural(run.warnings.length, "warning")}` : "";
  const wallSeconds = wallSecondsOf(run);
  return {
    workflow: run.workflow,
    run: run.id,
    status: `${statusText(target)}${warnings}`,
    produced: count(produced),
    succeeded: count(succeeded),
    dead: count(dead),
    pending: count(pending),
    cancelled: count(cancelled),
    retried: count(retried),
    "wall time": wallSeconds === undefined ? "" : seconds(wallSeconds),
  };
}
