import { relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ObjectStore } from "../../shared/aws/object-store.ts";
import type { LedgerStore } from "../../shared/aws/table.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import type { Runs } from "../../shared/ledger/runs.ts";
import { openResultSet, type ResultSet } from "../../shared/results/read-results.ts";

/** How many results the end of a run shows. */
const SHOWN = 3;
const POLL_MILLISECONDS = 50;

/** Where the results of a run are, and the first of them. */
export interface ResultsPreview {
  readonly rows: number;
  /** The files with the results, in their order. */
  readonly files: readonly string[];
  /** The results of the first items, each as its row in a file. */
  readonly first: readonly { readonly id: string; readonly result: unknown }[];
}

/** Whether the files of a run's results have all results so far. */
const isCompacted = ({ results }: RunRecord): boolean =>
  results?.manifest !== undefined && results.compactionsAsked <= results.compactionsDone;

/**
 * Waits until the results of a run that has ended are in files, and reads the first ones.
 *
 * @param over Ends the wait.
 * @returns `undefined`: the run keeps no results, or the wait ended before.
 */
export async function previewResults(
  services: { readonly store: LedgerStore; readonly runs: Runs },
  store: ObjectStore,
  id: string,
  over: AbortSignal,
): Promise<ResultsPreview | undefined> {
  for (;;) {
    const run = await services.runs.get(id);
    if (run.results === undefined) return undefined;
    if (isCompacted(run)) break;
    if (over.aborted) return undefined;
    await setTimeout(POLL_MILLISECONDS);
  }
  const set = await openResultSet({ store, ledgerStore: services.store, runs: services.runs }, id);
  return { rows: set.expectedRows, files: filesOf(set), first: await firstOf(set) };
}

/** The files that a person opens: those in the format of the run. */
function filesOf({ store, manifest }: ResultSet): readonly string[] {
  const parts = (manifest?.blocks ?? []).flatMap((block) => block.parts);
  const keys = parts.map(({ key, csv }) => csv?.key ?? key);
  return keys.map((key) => relative(process.cwd(), fileURLToPath(`${store.url}/${key}`)));
}

async function firstOf(set: ResultSet): Promise<ResultsPreview["first"]> {
  for await (const { lines } of set.lines()) {
    const text = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength).toString();
    return text
      .split("\n", SHOWN)
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { readonly id: string; readonly result: unknown });
  }
  return [];
}
