import type { ServiceClients } from "../../local/local-services.ts";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import type { ResumeOptions } from "../commands/resume.ts";
import { EXIT } from "../exit-code.ts";
import { remark, say } from "../screens/paragraph.ts";
import { writeJson } from "../screens/write-json.ts";
import { findUnrequestedRun, withRun } from "../targets/find-run.ts";
import { fileOf } from "../targets/origin-file.ts";
import { stackFlag, type Target } from "../targets/target.ts";
import { continueRun } from "./continue-run.ts";
import { checkRowsExist } from "./expired-rows.ts";
import { messagesMayBeMissing, sayThatCountsLag } from "./missing-messages.ts";
import { newStart } from "./new-start.ts";
import { openSession, workOnRun } from "./session.ts";
import type { StartUp } from "./start-up.ts";

/** Continues a run where it stopped, and sets the exit code. */
export async function resumeRun(
  runOrWorkflow: string | undefined,
  options: ResumeOptions,
  startUp: StartUp,
): Promise<void> {
  const { json } = options;
  const unrequested = options.stack === undefined ? await findUnrequestedRun(runOrWorkflow) : undefined;
  if (unrequested !== undefined) {
    const { workflow, run, limit, name, directory, concurrency } = unrequested;
    const session = await openSession(fileOf(unrequested), { json, concurrency, name, workflow, directory }, startUp);
    process.exitCode = await workOnRun(session, async ({ controlQueue }) => ({
      id: run,
      limit,
      begin: () => controlQueue.sendControl(newStart({ workflow, run, limit })),
    }));
    return;
  }
  const { run, where, local, name, running, stack, workLeft } = await withRun(
    runOrWorkflow,
    options,
    async (target) => {
      checkRowsExist(target.run, target, Date.now());
      // A stack, or an engine in another process, continues the run once it is reopened.
      if (target.running && !hasEnded(target.run)) {
        await target.restoreDelivery();
        await reopen(target.services, target.run, { works: true, exactCounts: target.local !== undefined });
      }
      return { ...target, workLeft: await hasWorkLeft(target.run, target) };
    },
    { prefers: hasWorkLeft, accepts: hasWorkLeft },
  );
  const flag = stackFlag({ stack });
  if (!workLeft || running || local === undefined) startUp.end();
  if (!workLeft) {
    const start = local === undefined ? "start" : "run";
    const message = `Run ${run.id} on ${where} has ended: it is ${run.status}. Start another with: npx sluice ${start} ${name}${flag}`;
    if (json) writeJson({ type: "error", code: "RUN_ENDED", message });
    else remark(message);
    process.exitCode = EXIT.failed;
    return;
  }
  if (running || local === undefined) {
    const message = `Run ${run.id} on ${where} continues. Watch it with: npx sluice status ${run.id}${flag} --watch`;
    if (json) writeJson({ type: "message", message });
    else say(message);
    return;
  }
  const { concurrency, workflow, directory } = local;
  const session = await openSession(fileOf(local), { json, concurrency, name, workflow, directory }, startUp);
  process.exitCode = await workOnRun(session, async (services) => ({
    id: run.id,
    limit: run.limit,
    begin: () => reopen(services, run, { works: false, exactCounts: true }),
  }));
}

/**
 * Whether a run has work left. If the run has ended, work is left when items were redriven since, or when the command
 * died before `onComplete` was called.
 */
async function hasWorkLeft(run: RunRecord, { services, running }: Target): Promise<boolean> {
  if (!hasEnded(run)) return true;
  if (run.redriven && (await services.runs.counts(run)).pending > 0) return true;
  // A running engine or stack calls `onComplete` by itself.
  return !running && run.status !== "skipped" && run.completionHandledAt === undefined;
}

/** Continues a run. The command that ran, paused or cancelled the run may have ended at any point. */
async function reopen(
  services: Pick<ServiceClients, "runs" | "queue" | "controlQueue">,
  run: RunRecord,
  options: { readonly works: boolean; readonly exactCounts: boolean },
): Promise<void> {
  const { runs, controlQueue } = services;
  const { id } = run;
  // A resend that has begun continues from its own checkpoint.
  const isResending = run.resend !== undefined;
  const check = { ...options, onDoubt: () => sayThatCountsLag(id) };
  if (!hasEnded(run) && !isResending && (await messagesMayBeMissing(services, run, check))) {
    await runs.resends.request(id);
    remark(
      `SQS may have deleted messages of run ${id} that were too old. The source is read again, and pending items are sent ` +
        "again.",
    );
  }
  await continueRun(controlQueue, (await runs.reopen(id)) ?? (await runs.get(id)));
}
