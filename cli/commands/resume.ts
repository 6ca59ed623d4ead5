import { Command } from "commander";
import type { ServiceClients } from "../../local/local-services.ts";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import { EXIT } from "../exit-code.ts";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";
import { continueRun } from "../runs/continue-run.ts";
import { mayHaveLostMessages, sayDoubt } from "../runs/missing-messages.ts";
import { newStart } from "../runs/new-start.ts";
import { openSession, workOnRun } from "../runs/session.ts";
import { writeJson } from "../screens/display.ts";
import { remark, say } from "../screens/paragraph.ts";
import { findUnasked, withRun } from "../targets/find-run.ts";
import { stackFlag, type Target } from "../targets/target.ts";

export const resumeCommand = withTargetOptions(new Command("resume"))
  .summary("go on with a run that was interrupted, paused or failed, or of which dead letters were redriven")
  .description(
    "Goes on with a run where it stopped: after Ctrl-C, a crash, a pause, or a source that failed. Of a run that has " +
      "ended, works off the dead letters that were redriven.",
  )
  .argument("[run]", "a run's id, or a workflow (default: the run that has something left to do)")
  .option("--json", "one JSON object a line, the last one the summary", false)
  .addHelpText(
    "after",
    "\nExamples:\n  $ npx sluice resume\n  $ npx sluice resume cities\n  $ npx sluice resume 20261122-081530-3fa9",
  )
  .action(async (runOrWorkflow: string | undefined, options: TargetOptions & { json: boolean }) => {
    const { json } = options;
    const unasked = options.stack === undefined ? await findUnasked(runOrWorkflow) : undefined;
    if (unasked !== undefined) {
      const { workflow, run, limit, file, name, concurrency } = unasked;
      const session = await openSession(file, { json, concurrency, name });
      process.exitCode = await workOnRun(session, async ({ controlQueue }) => ({
        id: run,
        limit,
        begin: () => controlQueue.sendControl(newStart({ workflow, run, limit })),
      }));
      return;
    }
    const { run, where, local, name, running, stack, left } = await withRun(
      runOrWorkflow,
      options,
      async (target) => {
        // What works already needs only to be told.
        if (target.running && !hasEnded(target.run)) {
          await target.restoreDelivery();
          await reopen(target.services, target.run, { works: true, exactCounts: target.local !== undefined });
        }
        return { ...target, left: await isLeft(target.run, target) };
      },
      { prefers: isLeft, isMeant: isLeft },
    );
    const flag = stackFlag({ stack });
    if (!left) {
      const start = local === undefined ? "start" : "run";
      const message = `Run ${run.id} on ${where} has ended, it is ${run.status}: npx sluice ${start} ${name}${flag} starts another.`;
      if (json) writeJson({ type: "error", code: "RUN_ENDED", message });
      else remark(message);
      process.exitCode = EXIT.failed;
      return;
    }
    if (running || local === undefined) {
      const message = `Run ${run.id} on ${where} goes on: npx sluice status ${run.id}${flag} --watch shows it.`;
      if (json) writeJson({ type: "message", message });
      else say(message);
      return;
    }
    const session = await openSession(local.file, { json, concurrency: local.concurrency, name });
    process.exitCode = await workOnRun(session, async (services) => ({
      id: run.id,
      limit: run.limit,
      begin: () => reopen(services, run, { works: false, exactCounts: true }),
    }));
  });

/**
 * Whether something is left to do about a run: a command may have died between its end and `onComplete`, or dead letters of it
 * were redriven since.
 */
async function isLeft(run: RunRecord, { services, running }: Target): Promise<boolean> {
  if (!hasEnded(run)) return true;
  if (run.redriven && (await services.runs.counts(run)).pending > 0) return true;
  // Who works already sees to it.
  return !running && run.status !== "skipped" && run.completionHandledAt === undefined;
}

/** Makes a run go on, from wherever the command that ran, paused or cancelled it stopped. */
async function reopen(
  services: Pick<ServiceClients, "runs" | "queue" | "controlQueue">,
  run: RunRecord,
  options: { readonly works: boolean; readonly exactCounts: boolean },
): Promise<void> {
  const { runs, controlQueue } = services;
  const { id } = run;
  // One that has begun goes on where it stopped.
  const isUnderWay = run.resend !== undefined;
  const look = { ...options, onDoubt: () => sayDoubt(id) };
  if (!hasEnded(run) && !isUnderWay && (await mayHaveLostMessages(services, run, look))) {
    await runs.requestResend(id);
    remark(
      `Messages of run ${id} may have been deleted after their time in the queue: its source is read again, and what is ` +
        "pending is sent again.",
    );
  }
  await continueRun(controlQueue, (await runs.reopen(id)) ?? (await runs.get(id)));
}
