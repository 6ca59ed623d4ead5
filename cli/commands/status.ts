import { setTimeout } from "node:timers/promises";
import { Command } from "commander";
import { type Counts, hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import { writeJson } from "../display.ts";
import { count, seconds, style, table } from "../format.ts";
import { targets, withRun } from "../run-target.ts";
import { type TargetOptions, withTargetOptions } from "../target-options.ts";

interface StatusOptions extends TargetOptions {
  readonly json: boolean;
  readonly watch: boolean;
}

/** Runs of a workflow that are listed at the most. */
const LISTED = 20;
const WATCH_MILLISECONDS = 1_000;

export const statusCommand = withTargetOptions(new Command("status"))
  .summary("list runs, or show one")
  .description("Lists the latest runs, or shows one of them. It may be asked while a run works.")
  .argument("[run]", "a run's id, or a workflow: its latest run")
  .option("--watch", "show it anew each second until it has ended", false)
  .option("--json", "one JSON object a run", false)
  .addHelpText(
    "after",
    `
Examples:
  $ npx sluice status
  $ npx sluice status cities --watch
  $ npx sluice status 20261122-081530-3fa9 --json
  $ npx sluice status --stack sluice-cities --region eu-west-1`,
  )
  .action(async (run: string | undefined, options: StatusOptions) => {
    if (run === undefined && !options.watch) await list(options);
    else await withRun(run, options, (target) => show(target.services.runs, target.run, options));
  });

async function list(options: StatusOptions): Promise<void> {
  const { json } = options;
  const rows = [["workflow", "run", "status", "produced", "succeeded", "dead", "retried", "owed", "wall time"]];
  for await (const { services } of targets(options)) {
    for (const run of await services.runs.latest(LISTED)) {
      const counts = await services.runs.counts(run);
      if (json) writeJson(toJson(run, counts));
      const { produced, succeeded, dead, retried, owed } = counts;
      const wallSeconds = wallSecondsOf(run);
      rows.push([
        run.workflow,
        run.id,
        run.status,
        ...[produced, succeeded, dead, retried, owed].map(count),
        wallSeconds === undefined ? "" : seconds(wallSeconds),
      ]);
    }
  }
  if (json) return;
  const start = options.stack === undefined ? "run" : "start";
  if (rows.length === 1) console.log(`No workflow has been run here: npx sluice ${start} <workflow> starts one.`);
  else console.log(table(rows, "", 3));
}

interface Reader {
  get(id: string): Promise<RunRecord>;
  counts(run: RunRecord): Promise<Counts>;
}

async function show(runs: Reader, first: RunRecord, { json, watch }: StatusOptions): Promise<void> {
  let lines = 0;
  for (let run = first; ; run = await runs.get(run.id)) {
    const counts = await runs.counts(run);
    if (json) writeJson(toJson(run, counts));
    else {
      // Over what was shown before, where the terminal can.
      if (lines > 0 && process.stdout.isTTY) process.stdout.write(`\x1b[${lines}A\x1b[J`);
      const text = describe(run, counts);
      lines = text.split("\n").length;
      console.log(text);
    }
    if (!watch || hasEnded(run)) return;
    await setTimeout(WATCH_MILLISECONDS);
  }
}

function describe(run: RunRecord, counts: Counts): string {
  const { produced, succeeded, dead, cancelled, retried, owed, deadByReason } = counts;
  const wallSeconds = wallSecondsOf(run);
  const reasons = Object.entries(deadByReason).map(([reason, number]) => [`dead: ${reason}`, count(number)]);
  return [
    `${style("bold", run.workflow)} · run ${run.id} · ${style("bold", run.status)}`,
    ...(run.failure === undefined ? [] : [style("red", run.failure)]),
    ...(run.sliceError === undefined || run.failedSlices === 0
      ? []
      : [style("yellow", `the source failed ${run.failedSlices} times: ${run.sliceError}`)]),
    table([
      ["produced", `${count(produced)}${run.checkpoint.ended ? "" : " so far"}`],
      ["succeeded", count(succeeded)],
      ["dead", count(dead)],
      ...reasons,
      ...(cancelled > 0 ? [["cancelled", count(cancelled)]] : []),
      ["owed", count(owed)],
      ["retried", count(retried)],
      ["requested", run.requestedAt],
      ...(run.completedAt === undefined ? [] : [["ended", run.completedAt]]),
      ...(wallSeconds === undefined ? [] : [["wall time", seconds(wallSeconds)]]),
    ]),
  ].join("\n");
}

function toJson(run: RunRecord, counts: Counts): object {
  const { id, workflow, status, requestedAt, completedAt, failure, checkpoint } = run;
  return {
    type: "run",
    workflow,
    run: id,
    status,
    ...counts,
    sourceEnded: checkpoint.ended,
    requestedAt,
    completedAt: completedAt ?? null,
    wallSeconds: wallSecondsOf(run) ?? null,
    failure: failure ?? null,
  };
}

function wallSecondsOf({ requestedAt, completedAt }: RunRecord): number | undefined {
  return completedAt === undefined ? undefined : (Date.parse(completedAt) - Date.parse(requestedAt)) / 1_000;
}
