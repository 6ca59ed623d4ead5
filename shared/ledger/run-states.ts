import { MOST_BATCH_GET_KEYS } from "../aws/quotas.ts";
import { keyText, type LedgerStore, type Row, type Update } from "../aws/table.ts";
import { batchesOf } from "../base/batches.ts";
import { SluiceError } from "../base/errors.ts";
import { cut } from "../base/failure.ts";
import type { Json } from "../base/json.ts";
import type { ResultsSettings } from "../definition/results-options.ts";
import type { Tolerance } from "../definition/tolerance.ts";
import { ActiveRuns } from "./active-runs.ts";
import { DeathCount, type DeathVerdict } from "./death-count.ts";
import { RUN_LIST, runKey, runListKey } from "./keys.ts";
import { type RunResultsProgress, resultAttributes } from "./results-progress.ts";
import type { RollUp } from "./roll-up.ts";
import { countRun } from "./run-counts.ts";
import {
  type Counts,
  isActive,
  LEDGER_VERSION,
  LONGEST_ERROR_BYTES,
  type RunRecord,
  type RunStatus,
  readRunRow,
} from "./run-record.ts";

/** How many rows of the list of runs one request reads. */
const RUNS_PER_READ = 500;

/** A run that is to start. */
export interface NewRun {
  readonly id: string;
  readonly workflow: string;
  readonly requestedAt: string;
  readonly limit?: number | undefined;
  readonly tolerance?: Tolerance | undefined;
  /** Whether the run may begin only after `active.enterAlone` has made it an active run. */
  readonly exclusive?: boolean;
  /** How the run keeps its results. Absent: it keeps none. */
  readonly results?: ResultsSettings | undefined;
  /** The version of the code that begins the run. */
  readonly codeVersion?: string | undefined;
  /** How many producers read the partitions of the source. Absent: the source has no partitions. */
  readonly lanes?: number | undefined;
  /** The id of the active run that made this one be skipped. */
  readonly skippedFor?: string;
}

/** What followed the deaths of items: see `DeathVerdict`. `stopped`: this call stopped the run. */
export type ToleranceVerdict =
  | Exclude<DeathVerdict, { tag: "beyond" }>
  | { readonly tag: "stopped"; readonly run: RunRecord };

/**
 * The runs of a workflow: how they start, change their status and end. Consumers need no more than this class. `Runs` adds
 * how the producer reads the source, and is not in the bundle of a consumer.
 */
export class RunStates {
  readonly #store: LedgerStore;
  readonly #now: () => number;
  readonly #rollUp: RollUp;
  readonly #deathCount: DeathCount;
  /** The runs that are active now. */
  readonly active: ActiveRuns;
  /** How far the compaction of the results has come. */
  readonly results: RunResultsProgress;

  constructor(store: LedgerStore, now: () => number, rollUp: RollUp) {
    this.#store = store;
    this.#now = now;
    this.#rollUp = rollUp;
    this.#deathCount = new DeathCount(store, now, (id) => this.find(id));
    this.active = new ActiveRuns(store, () => this.#allRows());
    this.results = rollUp.results;
  }

  /** Starts a run and makes it one of the active runs. If a run with this id exists already, the method uses that run. */
  async create(run: NewRun): Promise<RunRecord> {
    const { record, entered } = await this.begin(run);
    await entered;
    return record;
  }

  /**
   * Does what `create` does, but returns the run before it is one of the active runs.
   *
   * @returns `entered`, which resolves when the run is one of the active runs, or need not become one. No message of the run
   *   may be sent before that. Otherwise a scheduled start could miss this run and start a second run beside it.
   */
  async begin(run: NewRun): Promise<{ readonly record: RunRecord; readonly entered: Promise<void> }> {
    // The list makes the run visible to the commands. If the producer crashes before both writes are done, the next producer
    // receives the start message and repeats them.
    const listed = this.#store.update(runListKey(run.id, run.requestedAt), { set: { id: run.id } });
    const created = this.#store.update(runKey(run.id), {
      set: {
        id: run.id,
        version: LEDGER_VERSION,
        lanes: run.lanes,
        workflow: run.workflow,
        status: run.skippedFor === undefined ? "running" : "skipped",
        failure: run.skippedFor === undefined ? undefined : skippedBecause(run.skippedFor),
        requestedAt: run.requestedAt,
        codeVersion: run.codeVersion,
        limit: run.limit,
        exclusive: run.exclusive || undefined,
        tolerance: run.tolerance as Json | undefined,
        ...(run.results && resultAttributes(run.results)),
        checkpoints: 0,
        skip: 0,
        pages: 0,
        items: 0,
        ended: false,
        hop: 0,
        failedSlices: 0,
      },
      when: [{ absent: "status" }],
    });
    const [row] = await Promise.all([created, listed]);
    const record = row === undefined ? await this.get(run.id) : readRunRow(row);
    // After its row is written, and before its first message is sent: see `ActiveRuns`.
    // mutant: enter-active-runs
    const entered = isActive(record) && !record.exclusive ? this.active.enter(record) : Promise.resolve();
    // The caller awaits `entered`. If it rejects before that, this handler prevents an unhandled rejection.
    entered.catch(() => {});
    // The start was delivered before, and the run may be about to end. It must not be entered after it has left.
    // mutant: enter-before-end
    if (row === undefined) await entered;
    return { record, entered };
  }

  /** Notes that code of another version than the one that began the run works on it. */
  async noteCode(id: string, version: string): Promise<void> {
    await this.#store.update(runKey(id), {
      set: { codeChange: { version, at: this.#now() } },
      when: [{ equals: ["id", id] }],
    });
  }

  /** Lists a scheduled run that does not start because another run is active. */
  async skip(run: { id: string; workflow: string; requestedAt: string }, because: RunRecord): Promise<void> {
    const { exclusive } = await this.create({ ...run, skippedFor: because.id });
    if (!exclusive) return;
    // The run had a row already, and another run became active before this one could.
    await this.#store.update(runKey(run.id), {
      set: { status: "skipped", failure: skippedBecause(because.id) },
      when: [{ equals: ["status", "running"] }, { equals: ["hop", 0] }],
    });
  }

  async find(id: string): Promise<RunRecord | undefined> {
    const row = await this.#store.get(runKey(id));
    return row?.status === undefined ? undefined : readRunRow(row);
  }

  /** @throws {SluiceError} `UNKNOWN_RUN`: no run has this id. */
  async get(id: string): Promise<RunRecord> {
    const run = await this.find(id);
    if (run === undefined) throw new SluiceError("UNKNOWN_RUN", `there is no run ${id}`, { ids: { run: id } });
    return run;
  }

  /** The latest runs, newest first. Many of them can be skipped runs. `active` finds all runs that are still active. */
  async latest(limit: number): Promise<readonly RunRecord[]> {
    return (await this.#rowsOf(await this.#store.newest(RUN_LIST, limit))).map(readRunRow);
  }

  /** All runs, newest first, a group at a time. */
  async *all(): AsyncGenerator<readonly RunRecord[], void, undefined> {
    for await (const rows of this.#allRows()) yield rows.map(readRunRow);
  }

  async *#allRows(): AsyncGenerator<readonly Row[], void, undefined> {
    for (let before: string | undefined; ; ) {
      const listed = await this.#store.newest(RUN_LIST, RUNS_PER_READ, before);
      if (listed.length > 0) yield await this.#rowsOf(listed);
      if (listed.length < RUNS_PER_READ) return;
      before = String(listed.at(-1)?.sk);
    }
  }

  async #rowsOf(listed: readonly Row[]): Promise<readonly Row[]> {
    const keys = listed.map((row) => runKey(String(row.id)));
    const batches = [...batchesOf(keys, MOST_BATCH_GET_KEYS)];
    const groups = await Promise.all(batches.map((some) => this.#store.getMany(some)));
    const rows = new Map(groups.flatMap((group) => [...group]));
    return keys.flatMap((key) => {
      const row = rows.get(keyText(key));
      return row?.status === undefined ? [] : [row];
    });
  }

  /**
   * Pauses a run: no new task begins, and every message stays.
   *
   * @returns the run, or `undefined` if it is not running.
   */
  async pause(id: string): Promise<RunRecord | undefined> {
    const set = { pausedAt: new Date(this.#now()).toISOString() };
    return await this.#changeStatus(id, ["running"], "paused", { set });
  }

  /**
   * Sets a run that is paused, or whose source failed, back to `running`.
   *
   * @returns the run, or `undefined` if it is neither paused nor failed. The next continuation needs a higher `hop` than the
   *   run's.
   */
  async reopen(id: string): Promise<RunRecord | undefined> {
    // The time for which the source has waited is counted from zero again. A wait that is not over stays.
    const remove = ["failure", "pausedAt", "waitSince", "waits"];
    const before = await this.find(id);
    const set = { failedSlices: 0, ...(before?.lanes !== undefined && { resumedRound: before.hop + 1 }) };
    const run = await this.#changeStatus(id, ["paused", "failed"], "running", { set, remove });
    // A failed run was not one of the active runs.
    if (run !== undefined) await this.active.enterAgain(run);
    return run;
  }

  /**
   * Begins to cancel a run: messages that are still queued are dropped without an attempt, and then the run is `cancelled`.
   * The caller must tell the producer with a continuation that has a higher `hop` than the run's.
   *
   * @param options `missing`: messages of the run are lost, and none of its tasks is running. Then the producer cancels the
   *   pending items, and nothing waits for the messages. Default: false.
   * @returns the run, or `undefined` if it has ended.
   */
  async cancel(id: string, { missing = false } = {}): Promise<RunRecord | undefined> {
    const set: Readonly<Record<string, Json>> = missing ? { missing } : {};
    const change = { set, remove: ["pausedAt"] };
    const run = await this.#changeStatus(id, ["running", "paused", "failed"], "cancelling", change);
    if (run !== undefined) await this.active.enterAgain(run);
    return run;
  }

  /**
   * Counts deaths that were recorded, and begins to stop the run if more of its items have died than are tolerated. The
   * caller must tell the producer of a run that it stopped, as with `cancel`.
   *
   * @param deaths With 0, the run is checked if `due` was returned before.
   * @param options `soon`: the run is checked even if it was checked a moment ago. Default: false.
   */
  async stopBeyondTolerance(id: string, deaths: number, options: { soon?: boolean } = {}): Promise<ToleranceVerdict> {
    const verdict = await this.#deathCount.note(id, deaths, options);
    if (verdict.tag !== "beyond") return verdict;
    const { failure } = verdict;
    const run = await this.#changeStatus(id, ["running"], "failing", { set: { failure } });
    if (run !== undefined) return { tag: "stopped", run };
    // A run that was stopped before is returned again, because the caller that stopped it may not have told the producer.
    const found = await this.find(id);
    return found?.status === "failing" ? { tag: "stopped", run: found } : { tag: "continues" };
  }

  async #changeStatus(
    id: string,
    from: readonly RunStatus[],
    to: RunStatus,
    change: Pick<Update, "set" | "remove">,
  ): Promise<RunRecord | undefined> {
    // A run of a newer version is refused before anything is written.
    await this.find(id);
    const row = await this.#store.update(runKey(id), {
      ...change,
      set: { status: to, ...change.set },
      when: [{ oneOf: ["status", from] }, { absent: "completedAt" }],
    });
    // The worker that completed the last block may have seen that the status had changed, and left the end of the run to
    // this call. Or the worker that ended the run may have crashed before it announced the end.
    await this.#rollUp.fromStoredRun(id);
    return row === undefined ? undefined : readRunRow(row);
  }

  /** Counts one more try of `onComplete`. Returns the number of tries, this one included. */
  async beginCompletion(run: RunRecord): Promise<number> {
    const attempt = run.completionAttempts + 1;
    await this.#store.update(runKey(run.id), { set: { completionAttempts: attempt } });
    return attempt;
  }

  /** Records that `onComplete` has succeeded. With `error`, it records that `onComplete` has failed for the last time. */
  async endCompletion(id: string, error?: string): Promise<void> {
    // mutant: leave-active-runs
    await this.active.leave(id);
    await this.#store.update(runKey(id), {
      set: {
        completionHandledAt: new Date(this.#now()).toISOString(),
        completionError: error && cut(error, LONGEST_ERROR_BYTES),
      },
      ...(error === undefined && { remove: ["completionError"] }),
    });
  }

  /** The number of pending items of all paused runs. Their messages are in the queue, and no consumer processes them. */
  async pendingOfPausedRuns(): Promise<number> {
    let pending = 0;
    for (const run of await this.active.list())
      if (run.status === "paused") pending += (await this.counts(run)).pending;
    return pending;
  }

  /** The counts of a run at this moment, see `countRun`. */
  async counts(run: RunRecord): Promise<Counts> {
    return await countRun(this.#store, run);
  }
}

const skippedBecause = (run: string): string => `run ${run} was still active`;
