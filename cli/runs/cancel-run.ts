import { ConfigurationError } from "../../shared/base/errors.ts";
import { hasEnded } from "../../shared/ledger/run-record.ts";
import type { CancelOptions } from "../commands/cancel.ts";
import { EXIT } from "../exit-code.ts";
import { confirm } from "../screens/confirm.ts";
import { plural } from "../screens/format.ts";
import { say } from "../screens/paragraph.ts";
import { writeJson } from "../screens/write-json.ts";
import { withRun } from "../targets/find-run.ts";
import { fileOf } from "../targets/origin-file.ts";
import { type RunTarget, stackFlag } from "../targets/target.ts";
import { continueRun } from "./continue-run.ts";
import { messagesMayBeMissing, sayThatCountsLag } from "./missing-messages.ts";
import { openSession, workOnRun } from "./session.ts";
import { StartUp } from "./start-up.ts";

/** Cancels a run once the user has confirmed it, and sets the exit code. */
export async function cancelRun(runOrWorkflow: string | undefined, options: CancelOptions): Promise<void> {
  const target = await withRun(runOrWorkflow, options, (found) => requestCancel(found, options), {
    prefers: (run) => !hasEnded(run),
  });
  if (target === undefined) {
    console.error("Nothing was changed.");
    process.exitCode = EXIT.failed;
    return;
  }
  const { run, where, running, local, name } = target;
  if (running || local === undefined) {
    const message = `Run ${run.id} on ${where} is being cancelled. Watch it with: npx sluice status ${run.id}${stackFlag(target)} --watch`;
    if (options.json) writeJson({ type: "message", message });
    else say(message);
    return;
  }
  // No engine is running, so this command starts one to drop what is queued.
  using startUp = new StartUp(options);
  startUp.step("loading the workflow");
  const { concurrency, workflow, directory } = local;
  const session = await openSession(
    fileOf(local),
    { json: options.json, concurrency, name, workflow, directory },
    startUp,
  );
  process.exitCode = await workOnRun(session, async () => ({ id: run.id, limit: run.limit, begin: async () => {} }));
}

/** Returns the target, or `undefined` if the user did not confirm. */
async function requestCancel(target: RunTarget, { yes }: CancelOptions): Promise<RunTarget | undefined> {
  const { services, run, where } = target;
  if (hasEnded(run)) throw hasEndedAlready(target);
  const { pending } = await services.runs.counts(run);
  const question = `Cancel run ${run.id} of ${run.workflow} on ${where}? ${plural(pending, "queued item")} will be dropped.`;
  if (!yes && !(await confirm(question))) return undefined;
  // No task of a paused or failed run is in flight, so its items can be cancelled without their messages.
  const isAtRest = run.status === "paused" || run.missing;
  const check = { exactCounts: target.local !== undefined, onDoubt: () => sayThatCountsLag(run.id) };
  const missing = isAtRest && (await messagesMayBeMissing(services, run, check));
  // `cancel` returns nothing if an earlier command already cancelled the run. That command may have died before it sent
  // the message to the producer, so the message is sent again.
  const cancelling = (await services.runs.cancel(run.id, { missing })) ?? (await services.runs.get(run.id));
  if (hasEnded(cancelling)) throw hasEndedAlready({ run: cancelling, where });
  await continueRun(services.controlQueue, cancelling);
  // The consumers drop the queued items, so the items' messages must be delivered to them.
  await target.restoreDelivery();
  return target;
}

function hasEndedAlready({ run, where }: Pick<RunTarget, "run" | "where">): ConfigurationError {
  return new ConfigurationError(`run ${run.id} on ${where} has already ended: it is ${run.status}`);
}
