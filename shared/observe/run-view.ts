import type { Counts, RunRecord } from "../ledger/run-record.ts";
import { sameFailureOf } from "../ledger/same-failure.ts";
import type { FleetFacts } from "./fleet-facts.ts";
import { type RunNote, runNotes } from "./run-notes.ts";
import { isInterrupted, type RunAndEngine, wallSecondsOf } from "./run-status.ts";

/** One run as `status --json` prints it: plain JSON. */
export interface RunFacts extends Counts {
  readonly workflow: string;
  readonly run: string;
  readonly status: string;
  readonly interrupted: boolean;
  readonly sourceEnded: boolean;
  readonly requestedAt: string;
  readonly completedAt: string | null;
  readonly wallSeconds: number | null;
  readonly failure: string | null;
  readonly codeVersion: string | null;
  readonly codeChange: { readonly version: string; readonly at: string } | null;
  readonly sourceWaitsUntil: string | null;
  readonly warnings: readonly string[];
  readonly sameFailure: string | null;
}

/** The facts of a run at one moment. */
export function runFacts(target: RunAndEngine, counts: Counts): RunFacts {
  const { run } = target;
  const { id, workflow, status, requestedAt, completedAt, failure, checkpoint, warnings, wait } = run;
  const { codeVersion, codeChange } = run;
  return {
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

/** How far a run with partitions has come. */
export interface RunPartitions {
  /** `null`: the list of partitions is not complete yet. */
  readonly total: number | null;
  /** How many were read to their ends. */
  readonly read: number;
}

/** One run as the dashboard shows it: its facts, its notes, and what only the dashboard shows. */
export interface RunView extends RunFacts {
  readonly notes: readonly RunNote[];
  readonly limit: number | null;
  readonly pages: number;
  /** The partitions of the source. `null`: the run reads the source as a whole. */
  readonly partitions: RunPartitions | null;
  readonly redriven: boolean;
  /** The format of the results. `null`: the run keeps none. */
  readonly results: string | null;
  /** Attempts that the service refused, of all runs of the workflow. `null`: not known, because the run has ended. */
  readonly throttled: number | null;
}

/** The view of a run at one moment. */
export function runView(target: RunAndEngine, counts: Counts, fleet?: FleetFacts): RunView {
  const { run } = target;
  return {
    ...runFacts(target, counts),
    notes: runNotes(target, counts, fleet),
    limit: run.limit ?? null,
    pages: run.checkpoint.pages,
    partitions: partitionsOf(run),
    redriven: run.redriven,
    results: run.results?.format ?? null,
    throttled: fleet?.throttled ?? null,
  };
}

function partitionsOf({ lanes, partitions, partitionsRead, checkpoint }: RunRecord): RunPartitions | null {
  if (lanes === undefined) return null;
  return { total: partitions ?? null, read: checkpoint.ended ? (partitions ?? 0) : (partitionsRead ?? 0) };
}
