import { overviewOf } from "../../shared/ledger/run-overview.ts";
import { fleetOf } from "../../shared/observe/fleet-facts.ts";
import { statusText, wallSecondsOf } from "../../shared/observe/run-status.ts";
import type { StatusOptions } from "../commands/status.ts";
import { count, plural, seconds } from "../screens/format.ts";
import { say } from "../screens/paragraph.ts";
import { Redrawn } from "../screens/redrawn.ts";
import { runDetails } from "../screens/run-details.ts";
import { runJson } from "../screens/run-json.ts";
import { fittingTable, RUN_COLUMNS } from "../screens/run-table.ts";
import { writeJson } from "../screens/write-json.ts";
import { latestAndActive, targets, unrequestedRunOf, withRun } from "../targets/find-run.ts";
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
        else new Redrawn().show(runDetails(shown, counts, await fleetOf(target)));
      },
      { showsSkipped: true },
    );
  }
}

async function listRuns(options: StatusOptions): Promise<void> {
  const { json } = options;
  const rows: string[][] = [];
  const notes: string[] = [];
  for await (const target of targets(options)) {
    const { services } = target;
    const unrequested = await unrequestedRunOf(target);
    if (unrequested !== undefined) {
      const { run, name } = unrequested;
      notes.push(`Run ${run} of ${name} was interrupted before it began. Begin it with: npx sluice resume ${name}`);
    }
    for (const run of await latestAndActive(services.runs, LISTED)) {
      const counts = await services.runs.counts(run);
      if (json) writeJson(runJson({ ...target, run }, counts));
      const { produced, succeeded, dead, pending, cancelled, retried } = counts;
      const wallSeconds = wallSecondsOf(run);
      rows.push([
        run.workflow,
        run.id,
        statusText({ ...target, run }) + (run.warnings.length > 0 ? `, ${plural(run.warnings.length, "warning")}` : ""),
        ...[produced, succeeded, dead, pending, cancelled, retried].map(count),
        wallSeconds === undefined ? "" : seconds(wallSeconds),
      ]);
    }
  }
  if (json) {
    for (const message of notes) writeJson({ type: "message", message });
    return;
  }
  const start = options.stack === undefined ? "npx sluice run <workflow>" : "npx sluice start <workflow> --stack";
  if (rows.length > 0) console.log(fittingTable([RUN_COLUMNS, ...rows]));
  else if (notes.length === 0) say(`No workflow has been run here yet. Run one with: ${start}`);
  for (const note of notes) say(note);
}
