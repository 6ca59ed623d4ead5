import { Command } from "commander";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { hasEnded } from "../../shared/ledger/run-record.ts";
import { EXIT } from "../exit-code.ts";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";
import { continueRun } from "../runs/continue-run.ts";
import { mayHaveLostMessages, sayDoubt } from "../runs/missing-messages.ts";
import { openSession, workOnRun } from "../runs/session.ts";
import { confirm } from "../screens/confirm.ts";
import { writeJson } from "../screens/display.ts";
import { plural } from "../screens/format.ts";
import { say } from "../screens/paragraph.ts";
import { withRun } from "../targets/find-run.ts";
import { type RunTarget, stackFlag } from "../targets/target.ts";

interface CancelOptions extends TargetOptions {
  readonly yes: boolean;
  readonly json: boolean;
}

export const cancelCommand = withTargetOptions(new Command("cancel"))
  .summary("end a run: drop what is queued")
  .description("Cancels a run: tasks in flight are finished, what is queued is dropped unrun, and the run ends.")
  .argument("[run]", "a run's id, or a workflow (default: the latest run that has not ended)")
  .option("--yes", "do not ask", false)
  .option("--json", "one JSON object a line, the last one the summary", false)
  .addHelpText("after", "\nExamples:\n  $ npx sluice cancel cities\n  $ npx sluice cancel 20261122-081530-3fa9 --yes")
  .action(async (runOrWorkflow: string | undefined, options: CancelOptions) => {
    const cancelled = await withRun(
      runOrWorkflow,
      options,
      async (target) => {
        const { services, run, where } = target;
        if (hasEnded(run)) throw ended(target);
        const { pending } = await services.runs.counts(run);
        const question = `Cancel run ${run.id} of ${run.workflow} on ${where}? ${plural(pending, "queued item")} will be dropped.`;
        if (!options.yes && !(await confirm(question))) return undefined;
        // A command that began to cancel it may have died before it could tell the producer.
        // Nothing of a paused or failed run is under way, so its items can be cancelled without their messages.
        const isAtRest = run.status === "paused" || run.missing;
        const look = { exactCounts: target.local !== undefined, onDoubt: () => sayDoubt(run.id) };
        const missing = isAtRest && (await mayHaveLostMessages(services, run, look));
        const cancelling = (await services.runs.cancel(run.id, { missing })) ?? (await services.runs.get(run.id));
        if (hasEnded(cancelling)) throw ended({ run: cancelling, where });
        await continueRun(services.controlQueue, cancelling);
        // The consumers drop what is queued.
        await target.restoreDelivery();
        return target;
      },
      { prefers: (run) => !hasEnded(run) },
    );
    if (cancelled === undefined) {
      console.error("Nothing was changed.");
      process.exitCode = EXIT.failed;
      return;
    }
    const { run, where, running, local, name } = cancelled;
    if (running || local === undefined) {
      const message = `Run ${run.id} on ${where} is being cancelled: npx sluice status ${run.id}${stackFlag(cancelled)} --watch shows its end.`;
      if (options.json) writeJson({ type: "message", message });
      else say(message);
      return;
    }
    // No engine works on it: one is started to drop what is queued.
    const { file, concurrency } = local;
    const session = await openSession(file, { json: options.json, concurrency, name });
    process.exitCode = await workOnRun(session, async () => ({ id: run.id, limit: run.limit, begin: async () => {} }));
  });

function ended({ run, where }: Pick<RunTarget, "run" | "where">): ConfigurationError {
  return new ConfigurationError(`run ${run.id} on ${where} has ended already: it is ${run.status}`);
}
