import { ConfigurationError, SluiceError } from "../../shared/base/errors.ts";
import { browse } from "../../shared/dead-letters/browse.ts";
import { exportDeadLetters } from "../../shared/dead-letters/export.ts";
import { type DeadLetter, hasItemAddress } from "../../shared/dead-letters/read-dead-letter.ts";
import type { IncludedField } from "../../shared/definition/results-options.ts";
import { hasEnded } from "../../shared/ledger/run-record.ts";
import { openResultSet, type ResultSet } from "../../shared/results/read-results.ts";
import type { ResultsOptions } from "../commands/results.ts";
import { interruptible } from "../dlq/interruptible.ts";
import { EXIT } from "../exit-code.ts";
import { count, plural } from "../screens/format.ts";
import { remark, say } from "../screens/paragraph.ts";
import { WorkProgress } from "../screens/work-progress.ts";
import { writeJson } from "../screens/write-json.ts";
import { targets, withRun } from "../targets/find-run.ts";
import type { Target } from "../targets/target.ts";
import { FailedColumns } from "./failed-columns.ts";
import { fileOutput, type Output, standardOutput } from "./output.ts";
import { type FailedItem, type RowFormat, rowFormat } from "./rows.ts";

/** The results of a run that a command reads. */
interface Found {
  readonly target: Target;
  readonly run: string;
  readonly set: ResultSet;
}

/** Writes the results of a run to a file or to the standard output, and sets the exit code. */
export async function writeResults(runOrWorkflow: string | undefined, options: ResultsOptions): Promise<void> {
  const choice = { prefers: (run: { readonly results?: unknown }) => run.results !== undefined, accepts: () => true };
  try {
    await withRun(
      runOrWorkflow,
      options,
      async (target) =>
        await write({ target, run: target.run.id, set: await resultsOf(target, target.run.id) }, options),
      choice,
    );
  } catch (error) {
    if (!(error instanceof ConfigurationError) || runOrWorkflow === undefined) throw error;
    if (!(await writeExpired(runOrWorkflow, options))) throw error;
  }
}

/** Writes the results of a run whose rows in the ledger have expired. Returns false if there is no manifest of the run. */
async function writeExpired(run: string, options: ResultsOptions): Promise<boolean> {
  for await (const target of targets(options)) {
    let set: ResultSet;
    try {
      set = await resultsOf(target, run);
    } catch (error) {
      if (error instanceof SluiceError && ["UNKNOWN_RUN", "NO_RESULTS"].includes(error.code)) continue;
      throw error;
    }
    await write({ target, run, set }, options);
    return true;
  }
  return false;
}

/** @throws {SluiceError} `NO_RESULTS`, `UNKNOWN_RUN` */
async function resultsOf({ services, where, openResults, workflow }: Target, run: string): Promise<ResultSet> {
  const store = await openResults();
  if (store === undefined) {
    throw new SluiceError(
      "NO_RESULTS",
      `${where} keeps no results: add results: true to the workflow ${workflow}, and deploy it. The runs that begin after ` +
        "that keep what their tasks return",
    );
  }
  const { store: ledgerStore, runs } = services;
  return await openResultSet({ store, ledgerStore, runs }, run);
}

async function write({ target, run, set }: Found, options: ResultsOptions): Promise<void> {
  const { output = "-" } = options;
  const isToFile = output !== "-";
  const written = options.json && !isToFile ? undefined : await writeRows({ target, run, set }, options);
  const wasStopped = written?.stoppedBy !== undefined;
  const notes = wasStopped ? [] : await notesOf({ target, run, set }, written);
  if (options.json) writeJson(jsonOf({ target, run, set }, options, written, notes.length === 0));
  else if (written !== undefined && isToFile && !wasStopped) {
    const failed = written.failed === 0 ? "" : ` and ${plural(written.failed, "failed item")}`;
    say(`${plural(written.rows, "result")}${failed} of run ${run} written to ${output}`);
  }
  for (const note of notes) remark(note);
  if (written?.stoppedBy === "interruption") process.exitCode = EXIT.interrupted;
  else process.exitCode = notes.length === 0 ? EXIT.succeeded : EXIT.partly;
}

interface Written {
  readonly rows: number;
  readonly failed: number;
  /** Why not all rows of the run could be written. */
  readonly incomplete?: string | undefined;
  /** `closed`: the reader of the standard output closed it before the end, as `head` does. */
  readonly stoppedBy?: "interruption" | "closed";
}

async function writeRows({ target, run, set }: Found, options: ResultsOptions): Promise<Written> {
  const { format: runFormat = "jsonl", include = [] } = set.run?.results ?? set.manifest ?? {};
  const { format = runFormat, output: path = "-", failed: hasFailed } = options;
  const output = path === "-" ? standardOutput(format) : await fileOutput(path, options.force);
  // A conversion to CSV first reads all rows, to find the columns.
  const progress = new WorkProgress(format === "csv" ? "Reading" : "Writing", "results");
  let isWritten = false;
  try {
    const written = await interruptible(async (interrupted) => {
      const signal = output.closed === undefined ? interrupted : AbortSignal.any([interrupted, output.closed]);
      let read = 0;
      const onRead = (more: number) => {
        signal.throwIfAborted();
        read += more;
        progress.show(read, Math.max(read, set.expectedRows));
      };
      // CSV needs the columns of all items before the first row, so the dead letters are read twice.
      const columns = hasFailed && format === "csv" ? await failedColumns(target, run, include, signal) : undefined;
      const rows = await rowFormat(set, { format, include, failed: columns, onRead });
      progress.turnTo("Writing");
      const copied = await copy(rows, output, signal, (done) => progress.show(done, Math.max(done, set.expectedRows)));
      const failed: CopiedFailed = hasFailed ? await copyFailed(target, run, rows, output, signal) : { failed: 0 };
      return { ...copied, ...failed, ...(columns?.hasOthers === true && { incomplete: OTHER_FIELDS }) };
    });
    await output.finish();
    isWritten = true;
    return written;
  } catch (error) {
    if (output.closed?.aborted === true) return { rows: 0, failed: 0, stoppedBy: "closed" };
    if (error instanceof Error && error.name === "AbortError") return { rows: 0, failed: 0, stoppedBy: "interruption" };
    throw error;
  } finally {
    progress.end();
    if (!isWritten) await output.discard();
  }
}

async function copy(format: RowFormat, output: Output, signal: AbortSignal, onCopied: (rows: number) => void) {
  let written = 0;
  let incomplete: string | undefined;
  try {
    for await (const { content, rows } of format.rows()) {
      signal.throwIfAborted();
      await output.write(content);
      written += rows;
      onCopied(written);
    }
  } catch (error) {
    // All rows that exist were written before this error.
    if (!(error instanceof SluiceError && error.code === "RESULTS_INCOMPLETE")) throw error;
    incomplete = error.message;
  }
  signal.throwIfAborted();
  return { rows: written, incomplete };
}

type CopiedFailed = Pick<Written, "failed" | "incomplete">;

const OTHER_FIELDS =
  "An item that failed while this command worked has fields that no column holds. Run this command again.";

const isOfRun = (deadLetter: DeadLetter, run: string): deadLetter is FailedItem =>
  hasItemAddress(deadLetter) && deadLetter.run === run;

/** The columns of the items that failed. */
async function failedColumns(
  { services, local }: Target,
  run: string,
  include: readonly IncludedField[],
  signal: AbortSignal,
): Promise<FailedColumns> {
  const columns = new FailedColumns(include);
  const progress = new WorkProgress("Reading", "dead letters");
  const learn = (deadLetter: DeadLetter) => {
    if (isOfRun(deadLetter, run)) columns.learn(deadLetter.item);
  };
  try {
    await browse(services.deadLetterQueue, learn, {
      signal,
      exactCounts: local !== undefined,
      onProgress: ({ looked, total }) => progress.show(looked, total),
    });
    signal.throwIfAborted();
    return columns;
  } finally {
    progress.end();
  }
}

/** Writes the rows of the items that failed, from their dead letters. */
async function copyFailed(
  { services, local }: Target,
  run: string,
  format: RowFormat,
  output: Output,
  signal: AbortSignal,
): Promise<CopiedFailed> {
  const progress = new WorkProgress("Reading", "dead letters");
  try {
    const { exported, complete } = await exportDeadLetters({
      deadLetterQueue: services.deadLetterQueue,
      select: (deadLetter) => isOfRun(deadLetter, run),
      write: async (deadLetters) => {
        await output.write(format.failed(deadLetters.filter((deadLetter) => isOfRun(deadLetter, run))));
      },
      signal,
      exactCounts: local !== undefined,
      onProgress: ({ looked, total }) => progress.show(looked, total),
    });
    signal.throwIfAborted();
    if (complete) return { failed: exported };
    return {
      failed: exported,
      incomplete: "Not all dead letters could be read: another command holds some. Run this command again.",
    };
  } finally {
    progress.end();
  }
}

/** Why these are not all the rows that the run will have, or that the user asked for. */
async function notesOf({ target, run, set }: Found, written: Written | undefined): Promise<readonly string[]> {
  const notes: string[] = [];
  if (set.run !== undefined && !hasEnded(set.run)) {
    notes.push(
      `Run ${run} of ${target.name} has not ended (${set.run.status}): these are the results so far, and more will follow.`,
    );
  }
  if (written?.incomplete !== undefined) notes.push(written.incomplete);
  if (written !== undefined && written.failed > 0 && set.run !== undefined) {
    const { dead } = await target.services.runs.counts(set.run);
    if (dead > written.failed) {
      notes.push(`${plural(dead, "item")} failed, but only ${count(written.failed)} of them still have a dead letter.`);
    }
  }
  return notes;
}

function jsonOf(
  { target: { workflow, stack }, run, set: { store, manifest, expectedRows } }: Found,
  { output }: ResultsOptions,
  written: Written | undefined,
  complete: boolean,
): object {
  const isWritten = written !== undefined && written.stoppedBy === undefined;
  return {
    type: "results",
    workflow,
    run,
    ...(stack !== undefined && { stack }),
    url: store.url,
    manifest: manifest?.version ?? null,
    parts: (manifest?.blocks ?? []).flatMap(({ parts }) => parts.map(({ key }) => `${store.url}/${key}`)),
    rows: written?.rows ?? expectedRows,
    ...(written !== undefined && { failed: written.failed, file: isWritten ? (output ?? null) : null }),
    complete: complete && (written === undefined || isWritten),
  };
}
