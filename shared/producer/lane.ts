import { toError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import { isAtRest, type LanesRow } from "../ledger/lanes-row.ts";
import { isStopping, isWaiting, type RunPartition, type RunRecord } from "../ledger/run-record.ts";
import type { LaneMessage } from "../messages/control.ts";
import type { ProducerContext } from "./context.ts";
import { noteCodeOf } from "./continuation.ts";
import {
  hasFailedTooOften,
  isPermanentSourceError,
  sliceBackoffMilliseconds,
  tooManyFailures,
} from "./failed-slices.ts";
import { continueAfter, sendNextContinuation } from "./next-continuation.ts";
import type { ReceivedControl } from "./received-control.ts";
import { runSlice } from "./slice.ts";
import { isOver, type SliceTime } from "./slice-time.ts";
import { type Again, recordWait, waitForPartition } from "./source-waits.ts";
import { DONE, LEFT, type Verdict } from "./verdict.ts";
import { WarningCollector } from "./warning-collector.ts";

/** How soon a producer reads the row of a partition again after another producer has advanced the partition. */
const SUPERSEDED_PAUSE_MILLISECONDS = 1_000;

const AGAIN: Again = { tag: "again" };

/** The partition that a lane reads. */
interface TakenPartition {
  /** The record of its production, as it was before the slice. */
  readonly record: RunRecord;
  /** The row of the lanes when the lane was taken up. */
  readonly row: LanesRow;
  readonly partition: RunPartition;
}

/** Continues a lane of a run: reads its partition for one slice, or takes the next partition. */
export async function continueLane(
  message: LaneMessage,
  control: ReceivedControl,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict> {
  const lane = new Lane(message, control, time, context);
  for (;;) {
    const next = await lane.continueOnce();
    if (next.tag !== "again") return next;
  }
}

class Lane {
  readonly #message: LaneMessage;
  readonly #control: ReceivedControl;
  readonly #time: SliceTime;
  readonly #context: ProducerContext;

  constructor(message: LaneMessage, control: ReceivedControl, time: SliceTime, context: ProducerContext) {
    this.#message = message;
    this.#control = control;
    this.#time = time;
    this.#context = context;
  }

  async continueOnce(): Promise<Verdict | Again> {
    const { runs, logger } = this.#context;
    const { run: id, lane, hop } = this.#message;
    const run = await runs.find(id);
    if (run !== undefined && isStopping(run)) return await this.#tellStopped(run);
    if (run?.status !== "running") {
      // The producer that ended the run may have died before it announced the end. If the run is paused or has failed, a
      // command that resumes it starts the lanes again.
      // mutant: announce-end-of-lanes
      await runs.progress.announceEnd(id);
      return DONE;
    }
    const row = await runs.lanes.takeUp(run, lane, hop);
    if (row === undefined) {
      logger.info("the lane needs no continuation", { run: id, lane, hop });
      return DONE;
    }
    await noteCodeOf(run, this.#context);
    const reading = row.reading[lane] ?? 0;
    if (reading === 0) return await this.#takeNext(run, row);
    return await this.#read(run, row, reading);
  }

  /** The continuation of the run ends the production of all partitions. It may have been lost. */
  async #tellStopped({ id, hop }: RunRecord): Promise<Verdict> {
    await sendNextContinuation({ run: id, hop }, this.#context);
    return DONE;
  }

  async #read(run: RunRecord, row: LanesRow, number: number): Promise<Verdict | Again> {
    const { runs, now, logger } = this.#context;
    const partition = await runs.lanes.partition(run, row, number);
    const record = await runs.progress.takeUpPartition(run, partition, row.round, now());
    const taken = { record, row, partition };
    if (isWaiting(record, now())) return await this.#wait(record);
    if (hasFailedTooOften(record)) {
      const reason = record.sliceError ?? "it crashed, ran out of time or lost its control message";
      return await this.#fail(taken, tooManyFailures(record.failedSlices, reason));
    }

    const warnings = new WarningCollector(record, logger);
    const end = await runSlice(await this.#limited(record), this.#time, warnings, this.#context);
    if (this.#time.lost.aborted) return LEFT;
    switch (end.tag) {
      case "ended":
        return await this.#takeNext(run, row);
      case "paused":
        return DONE;
      case "stopped":
        return await this.#tellStopped(await runs.get(run.id));
      case "time":
        await sendNextContinuation(this.#message, this.#context);
        return DONE;
      case "full":
        await runs.progress.recordFull(run.id, end.sample, number);
        return await this.#continueAfter(end.pauseMilliseconds);
      case "interrupted":
        await runs.progress.releaseSlice(record);
        logger.info("the process ends, and another producer continues", { run: run.id, partition: number });
        return await this.#continueAfter(0);
      case "superseded":
        return await this.#continueAfter(SUPERSEDED_PAUSE_MILLISECONDS);
      case "waits": {
        const recorded = await recordWait(record, end.wait, warnings.all, this.#context);
        if (recorded.tag === "failed") return await this.#fail(taken, toError(recorded.error).message);
        if (recorded.tag === "waiting") return await this.#wait(recorded.run);
        return await this.#continueAfter(SUPERSEDED_PAUSE_MILLISECONDS);
      }
      case "failed": {
        // The next slice finds the wait, and reads nothing before it ends.
        const recorded = end.wait && (await recordWait(record, end.wait, warnings.all, this.#context));
        if (recorded?.tag === "failed") return await this.#fail(taken, toError(recorded.error).message);
        return await this.#failSlice(taken, end.error, warnings.all);
      }
    }
  }

  /**
   * The record with the limit of items that is left for its partition. A run with a limit has one lane, so the other
   * partitions do not change at the same time.
   */
  async #limited(record: RunRecord): Promise<RunRecord> {
    if (record.limit === undefined) return record;
    const produced = await this.#context.runs.lanes.produced(record);
    return { ...record, limit: record.limit - (produced - record.checkpoint.items) };
  }

  /** Takes the next partition. If none is left for any lane, the production of the run ends. */
  async #takeNext(run: RunRecord, row: LanesRow, failure?: string): Promise<Verdict | Again> {
    const { runs } = this.#context;
    const { lane } = this.#message;
    if (run.limit !== undefined && (await runs.lanes.produced(run)) >= run.limit) await runs.lanes.stop(run);
    const next = await runs.lanes.takeNext(run, lane, row, failure);
    if ((next.reading[lane] ?? 0) === 0) return await this.#rest(run, next);
    if (!this.#isOver) return AGAIN;
    await sendNextContinuation(this.#message, this.#context);
    return DONE;
  }

  /** Ends the production of the run if no lane has anything left to read. */
  async #rest(run: RunRecord, row: LanesRow): Promise<Verdict> {
    const { runs } = this.#context;
    if (!isAtRest(row)) return DONE;
    const { round, failed } = row;
    if (failed.size > 0) await runs.progress.fail(run.id, failureOf(row), { round, resumedRound: run.resumedRound });
    else await runs.progress.endPartitions(run, row.next - 1);
    return DONE;
  }

  async #fail({ record, row, partition }: TakenPartition, reason: string): Promise<Verdict | Again> {
    const { metrics, logger, runs } = this.#context;
    const { id } = record;
    metrics.count("slicesFailed", 1);
    logger.error("a partition could not be read", { run: id, partition: partition.id, error: reason });
    return await this.#takeNext(await runs.get(id), row, `partition ${show(partition.id)}: ${reason}`);
  }

  async #failSlice(taken: TakenPartition, thrown: unknown, warnings: readonly string[]): Promise<Verdict | Again> {
    const { runs, logger, metrics, random } = this.#context;
    const { record, partition } = taken;
    const { message: reason } = toError(thrown);
    if (isPermanentSourceError(thrown)) return await this.#fail(taken, reason);
    // If the slice wrote a checkpoint before it failed, the checkpoint has reset the count.
    const latest = await runs.progress.latest(record);
    const failures = Math.max(1, latest.failedSlices);
    logger.error("the producer failed", { run: record.id, partition: partition.id, failures, error: thrown });
    await runs.progress.recordPartitionSlice(latest, failures, reason, warnings);
    if (hasFailedTooOften({ failedSlices: failures })) {
      return await this.#fail(taken, tooManyFailures(failures, reason));
    }
    metrics.count("slicesFailed", 1);
    return await this.#continueAfter(sliceBackoffMilliseconds(failures, random()));
  }

  async #wait(record: RunRecord): Promise<Verdict | Again> {
    return await waitForPartition(record, this.#message, this.#control, this.#time, this.#context);
  }

  async #continueAfter(milliseconds: number): Promise<Verdict> {
    return await continueAfter(milliseconds, this.#message, this.#control, this.#context);
  }

  get #isOver(): boolean {
    return isOver(this.#time, this.#context.now());
  }
}

/** Why a run failed whose partitions could not all be read. */
function failureOf(row: LanesRow): string {
  const { failed } = row;
  const [first, ...others] = failed.values();
  if (others.length === 0) return `${first}. ${othersOf(row)}. sluice resume reads this partition again`;
  return `${failed.size} partitions could not be read. The first is ${first}. sluice resume reads them again`;
}

/** What happened to the other partitions of a run of which one partition failed. */
const othersOf = ({ next, count = 0 }: LanesRow): string =>
  next > count
    ? "The other partitions were read"
    : "The partitions after it were not read, because the run has a limit of items";
