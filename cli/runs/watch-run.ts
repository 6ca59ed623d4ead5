import { setTimeout } from "node:timers/promises";
import { StateDirectory } from "../../local/state-directory.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { overviewOf } from "../../shared/ledger/run-overview.ts";
import { type Counts, hasEnded } from "../../shared/ledger/run-record.ts";
import { fleetOf } from "../../shared/observe/fleet-facts.ts";
import type { StatusOptions } from "../commands/status.ts";
import { Redrawn } from "../screens/redrawn.ts";
import { runDetails, terminalLayout } from "../screens/run-details.ts";
import { runJson } from "../screens/run-json.ts";
import { writeJson } from "../screens/write-json.ts";
import { withRun } from "../targets/find-run.ts";
import type { RunTarget } from "../targets/target.ts";

const WATCH_MILLISECONDS = 1_000;
/** How many reads in a row may fail before the command fails. */
const MAX_FAILED_READS = 5;

/** Shows a run every second until it has ended and nothing of it is pending. */
export async function watchRun(runOrWorkflow: string | undefined, options: StatusOptions): Promise<void> {
  const screen = new Redrawn();
  const show = async (target: RunTarget, counts: Counts) => {
    if (options.json) writeJson(runJson(target, counts));
    else screen.show(runDetails(target, counts, await fleetOf(target), terminalLayout()));
  };
  let wanted = runOrWorkflow;
  let workflow: string | undefined;
  let failures = 0;
  for (;;) {
    try {
      const watch = async (target: RunTarget) => {
        for (let run = target.run; ; run = await target.services.runs.get(run.id)) {
          const counts = await target.services.runs.counts(run);
          await show({ ...target, run: await overviewOf(target.services.ledger.store, run) }, counts);
          // A run that has ended has pending items again after a redrive.
          const over = hasEnded(run) && counts.pending === 0;
          // On this machine, the services belong to another command and end with it. So they are opened anew each time.
          if (over || target.local !== undefined) return { ...target, run, over };
          await setTimeout(WATCH_MILLISECONDS);
        }
      };
      const { run, local, running, over } = await withRun(wanted, { ...options, workflow }, watch, {
        showsSkipped: true,
      });
      if (over) return;
      wanted = run.id;
      workflow = run.workflow;
      failures = 0;
      // Without an engine nothing changes. This command then only waits for an engine: if it opened the services, it would
      // hold the state directory that the engine needs.
      const state = local && !running ? new StateDirectory(local.workflow) : undefined;
      do await setTimeout(WATCH_MILLISECONDS);
      while (state !== undefined && state.lockOwner()?.use !== "engine");
    } catch (error) {
      // A read fails while the other command is just starting, or has just ended.
      if (error instanceof ConfigurationError || ++failures > MAX_FAILED_READS) throw error;
      await setTimeout(WATCH_MILLISECONDS);
    }
  }
}
