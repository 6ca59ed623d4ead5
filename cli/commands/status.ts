import { setTimeout } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { Command } from "commander";
import { StateDirectory } from "../../local/state-directory.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { type Counts, hasEnded, isActive, type RunRecord } from "../../shared/ledger/run-record.ts";
import { sameFailureOf } from "../../shared/ledger/same-failure.ts";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";
import { timeOf } from "../runs/stalled-source.ts";
import { writeJson } from "../screens/display.ts";
import { count, plural, seconds, style, table, warningLine } from "../screens/format.ts";
import { paragraph, say } from "../screens/paragraph.ts";
import { oneLine, printable } from "../screens/printable.ts";
import { latestAndActive, targets, unaskedOf, withRun } from "../targets/find-run.ts";
import type { RunTarget } from "../targets/target.ts";

interface StatusOptions extends TargetOptions {
  readonly json: boolean;
  readonly watch: boolean;
}

/** The latest runs of a workflow that are listed, beside older ones that are active. */
const LISTED = 20;
/** Shown on every terminal: the workflow, the run and its status. */
const LEAST_COLUMNS = 3;
const WATCH_MILLISECONDS = 1_000;
/** In a row, while a run is watched. */
const MOST_FAILED_LOOKS = 5;

export const statusCommand = withTargetOptions(new Command("status"))
  .summary("list runs, or show one")
  .description(
    "Lists the latest runs and all that are active, or shows one of them. It may be asked while a run works.",
  )
  .argument("[run]", "a run's id, or a workflow: its latest run that was not skipped")
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
    if (options.watch) await watch(run, options);
    else if (run === undefined) await list(options);
    else {
      await withRun(run, options, async (target) => {
        new Screen().show(target, await target.services.runs.counts(target.run), options);
      });
    }
  });

async function list(options: StatusOptions): Promise<void> {
  const { json } = options;
  const rows = [
    ["workflow", "run", "status", "produced", "succeeded", "dead", "pending", "cancelled", "retried", "wall time"],
  ];
  const notes: string[] = [];
  for await (const target of targets(options)) {
    const { services } = target;
    const unasked = await unaskedOf(target);
    if (unasked !== undefined) {
      const { run, name } = unasked;
      notes.push(`Run ${run} of ${name} was interrupted before it began: npx sluice resume ${name} begins it.`);
    }
    for (const run of await latestAndActive(services.runs, LISTED)) {
      const counts = await services.runs.counts(run);
      const interrupted = isInterrupted({ ...target, run });
      if (json) writeJson(toJson(run, counts, interrupted));
      const { produced, succeeded, dead, pending, cancelled, retried } = counts;
      const wallSeconds = wallSecondsOf(run);
      rows.push([
        run.workflow,
        run.id,
        statusOf({ ...target, run }) + (run.warnings.length > 0 ? `, ${plural(run.warnings.length, "warning")}` : ""),
        ...[produced, succeeded, dead, pending, cancelled, retried].map(count),
        wallSeconds === undefined ? "" : seconds(wallSeconds),
      ]);
    }
  }
  if (json) {
    for (const message of notes) writeJson({ type: "message", message });
    return;
  }
  const start = options.stack === undefined ? "run" : "start";
  if (rows.length > 1) console.log(fittingTable(rows));
  else if (notes.length === 0) say(`No workflow has been run here: npx sluice ${start} <workflow> starts one.`);
  for (const note of notes) say(note);
}

/** The table; on a terminal that is too narrow for it, without the last columns. */
function fittingTable(rows: readonly (readonly string[])[]): string {
  const { columns = Number.POSITIVE_INFINITY } = process.stdout;
  for (let shown = rows[0]?.length ?? 0; ; shown--) {
    const text = table(
      rows.map((row) => row.slice(0, shown)),
      "",
      3,
    );
    if (shown <= LEAST_COLUMNS || text.indexOf("\n") <= columns) return text;
  }
}

/** Shows a run anew each second until it has ended. */
async function watch(runOrWorkflow: string | undefined, options: StatusOptions): Promise<void> {
  const screen = new Screen();
  let wanted = runOrWorkflow;
  let workflow: string | undefined;
  let failures = 0;
  for (;;) {
    try {
      const { run, local, running, over } = await withRun(wanted, { ...options, workflow }, async (target) => {
        for (let run = target.run; ; run = await target.services.runs.get(run.id)) {
          const counts = await target.services.runs.counts(run);
          screen.show({ ...target, run }, counts, options);
          // What was redriven after its end is worked off like the rest.
          const over = hasEnded(run) && counts.pending === 0;
          // On this machine they are the services of another command, and end with it: they are looked up anew.
          if (over || target.local !== undefined) return { ...target, run, over };
          await setTimeout(WATCH_MILLISECONDS);
        }
      });
      if (over) return;
      wanted = run.id;
      workflow = run.workflow;
      failures = 0;
      // Where nothing works on it nothing changes, and who comes to do so must not find the directory taken.
      const state = local && !running ? new StateDirectory(local.workflow) : undefined;
      do await setTimeout(WATCH_MILLISECONDS);
      while (state !== undefined && state.holder()?.use !== "engine");
    } catch (error) {
      // The other command may just have begun, or ended.
      if (error instanceof ConfigurationError || ++failures > MOST_FAILED_LOOKS) throw error;
      await setTimeout(WATCH_MILLISECONDS);
    }
  }
}

/** What is shown anew replaces what was shown before, where the terminal can. */
class Screen {
  #lines = 0;

  show(target: RunTarget, counts: Counts, { json }: Pick<StatusOptions, "json">): void {
    if (json) {
      writeJson(toJson(target.run, counts, isInterrupted(target)));
      return;
    }
    const { isTTY, columns } = process.stdout;
    if (isTTY && this.#lines > 0) process.stdout.write(`\x1b[${this.#lines}A\x1b[J`);
    const text = paragraph(describe(target, counts));
    const rows = text.split("\n").map((line) => Math.ceil(stripVTControlCharacters(line).length / columns) || 1);
    this.#lines = rows.reduce((sum, each) => sum + each, 0);
    console.log(text);
  }
}

/** A run's status, as people are told it. */
const statusOf = (target: Pick<RunTarget, "run" | "running">): string =>
  isInterrupted(target) ? "interrupted" : target.run.status;

/** Whether a run is to be worked on, and nothing does: its command was interrupted, or died. */
const isInterrupted = ({ run, running }: Pick<RunTarget, "run" | "running">): boolean =>
  !running && isActive(run) && run.status !== "paused";

function describe(target: RunTarget, counts: Counts): string {
  const { run, name } = target;
  const { produced, succeeded, dead, cancelled, retried, pending, deadByReason } = counts;
  const wallSeconds = wallSecondsOf(run);
  const sameFailure = sameFailureOf(run, counts);
  const reasons = Object.entries(deadByReason).map(([reason, number]) => [`dead: ${reason}`, count(number)]);
  return [
    `${style("bold", run.workflow)} · run ${run.id} · ${style("bold", statusOf(target))}`,
    ...(isInterrupted(target) ? [style("yellow", `nothing works on it: npx sluice resume ${name} goes on`)] : []),
    ...(run.failure === undefined ? [] : [style("red", printable(run.failure))]),
    ...(run.sliceError === undefined || run.failedSlices === 0
      ? []
      : [style("yellow", `the source failed ${run.failedSlices} times: ${printable(run.sliceError)}`)]),
    ...waitLine(run),
    ...run.warnings.map(warningLine),
    ...(sameFailure === undefined ? [] : [style("yellow", oneLine(sameFailure))]),
    table([
      ["produced", count(produced), ...(run.checkpoint.ended ? [] : ["so far"])],
      ["succeeded", count(succeeded)],
      ["dead", count(dead)],
      ...reasons,
      ...(cancelled > 0 ? [["cancelled", count(cancelled)]] : []),
      ["pending", count(pending)],
      ["retried", count(retried)],
    ]),
    `  requested  ${run.requestedAt}`,
    ...(run.completedAt === undefined ? [] : [`  ended      ${run.completedAt}`]),
    ...(wallSeconds === undefined ? [] : [`  wall time  ${seconds(wallSeconds)}`]),
  ].join("\n");
}

/** What its source's service asked for, while the run waits. */
function waitLine({ status, wait, checkpoint }: RunRecord): string[] {
  if (wait === undefined || checkpoint.ended || status !== "running") return [];
  return [style("yellow", `the source asks to wait until ${timeOf(wait.until)}: ${oneLine(wait.reason)}`)];
}

function toJson(run: RunRecord, counts: Counts, interrupted: boolean): object {
  const { id, workflow, status, requestedAt, completedAt, failure, checkpoint, warnings, wait } = run;
  return {
    type: "run",
    workflow,
    run: id,
    status,
    interrupted,
    ...counts,
    sourceEnded: checkpoint.ended,
    requestedAt,
    completedAt: completedAt ?? null,
    wallSeconds: wallSecondsOf(run) ?? null,
    failure: failure ?? null,
    sourceWaitsUntil: wait === undefined ? null : new Date(wait.until).toISOString(),
    warnings,
    sameFailure: sameFailureOf(run, counts) ?? null,
  };
}

function wallSecondsOf({ requestedAt, completedAt }: RunRecord): number | undefined {
  return completedAt === undefined ? undefined : (Date.parse(completedAt) - Date.parse(requestedAt)) / 1_000;
}
