import type { Engine } from "../../local/engine.ts";
import type { FleetActivity } from "../../local/lambda/activity-monitor.ts";
import { HistoryWriter } from "../../local/run-history.ts";
import type { StateDirectory } from "../../local/state-directory.ts";
import { overviewOf } from "../../shared/ledger/run-overview.ts";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import type { CountsBefore, ReportedCounts } from "../../shared/observe/live-counts.ts";
import { LiveRun } from "../../shared/observe/live-run.ts";
import { liveSample } from "../../shared/observe/sample.ts";
import { countsBefore } from "../runs/follow.ts";
import { StalledSource } from "../runs/stalled-source.ts";
import type { EndedRun, FromVersion } from "./protocol.ts";

/** A run that has not ended. */
interface Followed {
  readonly live: LiveRun;
  /** What the environments had reported before the run began here. They report over all runs. */
  readonly reportedBefore: ReportedCounts;
  readonly stalledSource: StalledSource;
  readonly history: HistoryWriter;
}

interface Requested {
  readonly isOfEarlier: boolean;
  readonly reportedBefore: ReportedCounts;
}

export interface RunWatchOptions {
  readonly engine: Pick<Engine, "runs" | "ledger" | "activity" | "limitRow" | "nextTaskAt" | "noteRun">;
  readonly state: Pick<StateDirectory, "path">;
  readonly ceiling: number;
  readonly tell: (message: FromVersion) => void;
}

/** Tells of the runs of an engine: when they begin, how far they are, and how they end. */
export class RunWatch {
  readonly #options: RunWatchOptions;
  /** Runs that were requested, and are not in the ledger yet. */
  readonly #requested = new Map<string, Requested>();
  readonly #followed = new Map<string, Followed>();
  #failures: readonly string[] = [];

  constructor(options: RunWatchOptions) {
    this.#options = options;
  }

  /** Whether a run is under way or was requested. */
  get isBusy(): boolean {
    return this.#followed.size + this.#requested.size > 0;
  }

  /** Notes a run that was requested just now, or by an earlier version. */
  expect(run: string, isOfEarlier = false): void {
    this.#requested.set(run, { isOfEarlier, reportedBefore: this.#options.engine.activity.fleet });
  }

  /** Looks at all runs once. */
  async check(now: number = Date.now()): Promise<void> {
    const { engine, tell } = this.#options;
    const active = await engine.runs.active.list();
    for (const record of active.toReversed()) await this.#begin(record, now);
    for (const id of this.#requested.keys()) {
      const record = await engine.runs.find(id);
      // A run that waits for an earlier one is not in the ledger yet.
      if (record !== undefined) await this.#begin(record, now);
    }
    const [newest] = active;
    for (const id of this.#followed.keys()) {
      const record = active.find((each) => each.id === id) ?? (await engine.runs.find(id));
      if (record === undefined || isOver(record)) {
        this.#followed.delete(id);
        if (record !== undefined) tell(await this.#ended(record, now));
      } else if (id === newest?.id) await this.#show(record, now);
    }
    this.#tellFailures();
  }

  async #begin(record: RunRecord, now: number): Promise<void> {
    const { engine, state, tell } = this.#options;
    const { id } = record;
    const requested = this.#requested.get(id);
    this.#requested.delete(id);
    if (this.#followed.has(id)) return;
    if (record.status === "skipped") return tell(await this.#ended(record, now));
    const isContinued = requested?.isOfEarlier ?? true;
    const before: CountsBefore = isContinued ? await countsBefore(engine, id) : { succeeded: 0, retried: 0, dead: 0 };
    this.#followed.set(id, {
      live: new LiveRun({ before, limitRow: engine.limitRow, nextTaskAt: engine.nextTaskAt, now }),
      reportedBefore: requested?.reportedBefore ?? engine.activity.fleet,
      stalledSource: new StalledSource(),
      history: new HistoryWriter(state, id),
    });
    engine.noteRun(id);
    tell({ type: "begun", run: id, isContinued });
  }

  async #show(found: RunRecord, now: number): Promise<void> {
    const { engine, tell, ceiling } = this.#options;
    const followed = this.#followed.get(found.id);
    if (followed === undefined) return;
    const record = await overviewOf(engine.ledger.store, found);
    const { fleet } = engine.activity;
    const progress = followed.live.progress(record, sinceOf(fleet, followed.reportedBefore), now);
    tell({ type: "progress", run: record.id, progress });
    const line = followed.stalledSource.check({
      now,
      run: record,
      inFlight: fleet.inFlight,
      failure: fleet.failures.at(-1),
      readingSince: fleet.readingSince,
    });
    if (line !== undefined) tell({ type: "message", text: line });
    if (!followed.history.isDue(now)) return;
    const durations = engine.activity.takeDurations();
    followed.history.add(liveSample(progress, { at: now, record, ceiling, slots: followed.live.slots, durations }));
  }

  async #ended(record: RunRecord, now: number): Promise<EndedRun> {
    const { produced, succeeded, dead, cancelled, retried } = await this.#options.engine.runs.counts(record);
    const end = record.completedAt === undefined ? now : Date.parse(record.completedAt);
    return {
      type: "ended",
      run: record.id,
      status: record.status,
      produced,
      succeeded,
      dead,
      cancelled,
      retried,
      seconds: Math.max(0, end - Date.parse(record.requestedAt)) / 1_000,
      failure: record.failure ?? record.completionError,
    };
  }

  /** Tells of invocations that crashed or timed out since the last call. */
  #tellFailures(): void {
    const { engine, tell } = this.#options;
    const failures = [...engine.activity.fleet.failures];
    const latest = this.#failures.at(-1);
    // The list keeps its latest entries only.
    const isSame = failures.length === this.#failures.length && failures.at(-1) === latest;
    const added = isSame ? [] : failures.slice(Math.min(this.#failures.length, failures.length - 1));
    this.#failures = failures;
    for (const text of added) tell({ type: "message", text });
  }
}

/** A run whose source failed is not over for `resume`, but nothing of it happens by itself. */
const isOver = (record: RunRecord): boolean =>
  record.status === "skipped" ||
  (hasEnded(record) ? record.completionHandledAt !== undefined : record.status === "failed");

/** What the environments reported since a moment. */
function sinceOf(fleet: FleetActivity, before: ReportedCounts): FleetActivity {
  return {
    ...fleet,
    succeeded: fleet.succeeded - before.succeeded,
    retried: fleet.retried - before.retried,
    deadByReason: Object.fromEntries(
      Object.entries(fleet.deadByReason).map(([reason, count]) => [reason, count - (before.deadByReason[reason] ?? 0)]),
    ),
  };
}
