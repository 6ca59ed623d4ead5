import type { Counts } from "../../shared/ledger/run-record.ts";
import { sameFailureOf } from "../../shared/ledger/same-failure.ts";
import { isInterrupted, wallSecondsOf } from "../runs/run-status.ts";
import type { RunTarget } from "../targets/target.ts";

/** One run for machines: what `status --json` prints. */
export function runJson(target: RunTarget, counts: Counts): object {
  const { run } = target;
  const { id, workflow, status, requestedAt, completedAt, failure, checkpoint, warnings, wait } = run;
  const { codeVersion, codeChange } = run;
  return {
    type: "run",
    workflow,
    run: id,
    status,
    interrupted: isInterrupted(target),
    ...counts,
    sourceEnded: checkpoint.ended,
    requestedAt,
    completedAt: completedAt ?? null,
    wallSeconds: wallSecondsOf(run) ?? null,
    failure: failure ?? null,
    codeVersion: codeVersion ?? null,
    codeChange: codeChange === undefined ? null : { ...codeChange, at: new Date(codeChange.at).toISOString() },
    sourceWaitsUntil: wait === undefined ? null : new Date(wait.until).toISOString(),
    warnings,
    sameFailure: sameFailureOf(run, counts) ?? null,
  };
}
