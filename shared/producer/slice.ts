import { type BacklogSample, isStopping, type RunPartition, type RunRecord } from "../ledger/run-record.ts";
import type { Partition, ReadContext } from "../sources/source.ts";
import { SourceWait } from "../sources/source-wait.ts";
import { backlogPauseMilliseconds, SAMPLE_MILLISECONDS } from "./backlog.ts";
import { sampleBacklog } from "./backlog-sample.ts";
import { chunks, type Reading } from "./chunks.ts";
import type { ProducerContext } from "./context.ts";
import { PagePipeline } from "./page-pipeline.ts";
import { sendAgain, sendPartitionsAgain } from "./resend.ts";
import { isOver, type SliceTime } from "./slice-time.ts";
import type { WarningCollector } from "./warning-collector.ts";

/** Requests that the start of a run has begun. The slice that sends the first page waits for them. */
export interface BegunRun {
  /** The sample of the queue's backlog. */
  readonly sampling: Promise<BacklogSample>;
  /** Resolves when the run is among the active runs. */
  readonly entered: Promise<void>;
}

/**
 * How a slice ended. The names of the states are those of `Producer`.
 *
 * - `ended`: the source has ended, or the run has reached its limit of items. The production is `ended`.
 * - `time`: the time of the slice is over. The production is still `paging`.
 * - `full`: the queue is full. The production is `full` for `pauseMilliseconds`.
 * - `waits`: the service asked the source to wait. The production is `waiting`.
 * - `failed`: the source, the ledger or a queue failed. The production is `retrying`.
 * - `paused`: the run was paused.
 * - `stopped`: the run was cancelled, too many items failed, or it failed because messages are lost.
 * - `interrupted`: the process is about to end, and the read of the source was aborted. The production is still `paging`.
 * - `superseded`: another producer has advanced the run, so this producer must not continue from its own checkpoint.
 */
export type SliceEnd =
  | { readonly tag: "ended" | "time" | "interrupted" | "superseded" | "paused" | "stopped" }
  | { readonly tag: "full"; readonly sample: BacklogSample; readonly pauseMilliseconds: number }
  | { readonly tag: "waits"; readonly wait: SourceWait }
  /** `wait`: the service has asked the source to wait before the slice failed. */
  | { readonly tag: "failed"; readonly error: unknown; readonly wait?: SourceWait | undefined };

/**
 * Reads a run's source for one slice, from the run's checkpoint, and sends its items. It never throws.
 *
 * @param begun The requests that the start of the run has begun. Only for the first page of a run.
 */
export async function runSlice(
  run: RunRecord,
  time: SliceTime,
  warnings: WarningCollector,
  context: ProducerContext,
  begun?: BegunRun,
): Promise<SliceEnd> {
  const slice = new Slice(run, time, warnings, context);
  return await withoutThrowing(slice, time, async () => (await slice.sendAgain()) ?? (await slice.sendPages(begun)));
}

/**
 * Sends the lost messages of a run with partitions again, for one slice. It never throws.
 *
 * @returns how the slice ended, or `undefined` if the run can continue.
 */
export async function runResend(
  run: RunRecord,
  time: SliceTime,
  warnings: WarningCollector,
  context: ProducerContext,
): Promise<SliceEnd | undefined> {
  const slice = new Slice(run, time, warnings, context);
  return await withoutThrowing(slice, time, () => slice.sendAgain());
}

async function withoutThrowing<End>(slice: Slice, time: SliceTime, work: () => Promise<End>): Promise<End | SliceEnd> {
  try {
    return await work();
  } catch (error) {
    const { wait } = slice;
    if (error instanceof SourceWait) return { tag: "waits", wait: error };
    if (time.shutdown?.aborted !== true) return { tag: "failed", error, wait };
    return wait === undefined ? { tag: "interrupted" } : { tag: "waits", wait };
  }
}

class Slice {
  readonly #run: RunRecord;
  readonly #time: SliceTime;
  readonly #warnings: WarningCollector;
  readonly #context: ProducerContext;
  /**
   * Present if the service has asked the source to wait, possibly while the next page was read ahead. The slice may end
   * before it reaches that page. It must still report the wait, so that the next slice does not read too early.
   */
  #wait: SourceWait | undefined;

  constructor(run: RunRecord, time: SliceTime, warnings: WarningCollector, context: ProducerContext) {
    this.#run = run;
    this.#time = time;
    this.#warnings = warnings;
    this.#context = context;
  }

  get wait(): SourceWait | undefined {
    return this.#wait;
  }

  /** Sends the lost messages of a resumed run again. Returns how the slice ended, or `undefined` if it can continue. */
  async sendAgain(): Promise<SliceEnd | undefined> {
    const { resend } = this.#run;
    if (resend === undefined) return undefined;
    const options = { ...this.#context, source: this.#context.workflow.source, isOver: () => this.#isOver };
    const end =
      this.#run.lanes === undefined
        ? await sendAgain(this.#run, resend, options, this.#reading())
        : await sendPartitionsAgain(this.#run, resend, options, (record) => this.#readingAgain(record));
    // Also if the run was stopped: a paused run that is resumed must not read its source too early.
    if (this.#wait !== undefined) return { tag: "waits", wait: this.#wait };
    return end === "done" ? undefined : { tag: end };
  }

  /** Reads and sends pages until the source ends, the queue is full, or the time is over. */
  async sendPages(begun?: BegunRun): Promise<SliceEnd> {
    const { runs, workflow } = this.#context;
    const { checkpoint } = this.#run;
    // The producer that wrote the checkpoint may have died before it wrote the final size of the blocks (groups of
    // 1,000 pages in the ledger), or before it noted that a partition has ended. Before the first slice there is no
    // checkpoint.
    // mutant: note-ended-partition-again
    if (checkpoint.count > 0) await runs.progress.closeAgain(this.#run);
    if (checkpoint.ended) return { tag: "ended" };
    // Take a sample before reading, so that the slice reads no page for which the queue has no room.
    const first = await (begun?.sampling ?? this.#sample(checkpoint.items));
    let room = this.#roomAfter(first);
    let sampledAt = first.at;
    if (room <= 0) return this.#full(first);

    const pipeline = new PagePipeline(
      { ...this.#context, warnings: this.#warnings, maySend: begun?.entered },
      this.#run,
    );
    let pushed: RunRecord | undefined = this.#run;
    try {
      for await (const chunk of chunks(workflow.source, checkpoint, this.#reading())) {
        // The other lanes of the run fill the queue too.
        const isOld = (this.#run.lanes ?? 1) > 1 && this.#context.now() - sampledAt > SAMPLE_MILLISECONDS;
        if (room <= 0 || isOld) {
          const run = await pipeline.checkpointed();
          if (run === undefined || mustStop(run)) break;
          const sample = await this.#sample(run.checkpoint.items);
          room = this.#roomAfter(sample);
          sampledAt = sample.at;
          if (room <= 0)
            return this.#wait === undefined ? this.#full(sample, first) : { tag: "waits", wait: this.#wait };
        }
        pushed = await pipeline.push(chunk);
        if (pushed === undefined || mustStop(pushed)) break;
        if (this.#isOver) break;
        room -= chunk.items.length;
      }
      const end = await this.#endAfter(await pipeline.checkpointed(), pushed === undefined);
      const goesOn = end.tag === "time" || end.tag === "paused";
      return goesOn && this.#wait !== undefined ? { tag: "waits", wait: this.#wait } : end;
    } finally {
      // Lambda freezes the environment after the invocation. A request that is still running then would continue at any
      // later time.
      await pipeline.settled();
    }
  }

  /**
   * How the slice ended, given the run after the slice's last checkpoint.
   *
   * @param isRefused Whether the next page was refused, because another producer works on the run.
   */
  async #endAfter(run: RunRecord | undefined, isRefused: boolean): Promise<SliceEnd> {
    if (run === undefined) return { tag: "superseded" };
    if (run.checkpoint.ended) return { tag: "ended" };
    if (isStopping(run)) {
      const { runs, sender } = this.#context;
      await runs.stopping.endProduction(run, (death) => sender.completeDeath(death));
      return { tag: "stopped" };
    }
    if (run.status === "paused") return { tag: "paused" };
    return { tag: isRefused ? "superseded" : "time" };
  }

  /**
   * A sample of the queue's backlog. The other lanes of the run have probably produced as much as this one, so the sample
   * gives the pace of the consumers.
   */
  async #sample(items: number): Promise<BacklogSample> {
    return await sampleBacklog(items * (this.#run.lanes ?? 1), this.#context);
  }

  /** How many items this slice may send. The lanes of a run share the room in the queue. */
  #roomAfter({ backlog }: BacklogSample): number {
    return Math.ceil((this.#context.maxBacklog - backlog) / (this.#run.lanes ?? 1));
  }

  #full(sample: BacklogSample, ...earlier: readonly BacklogSample[]): SliceEnd {
    const samples = [this.#run.fullAt, ...earlier];
    return {
      tag: "full",
      sample,
      pauseMilliseconds: backlogPauseMilliseconds(this.#context.maxBacklog, sample, samples),
    };
  }

  /** Whether the slice must begin no new page. */
  get #isOver(): boolean {
    return isOver(this.#time, this.#context.now());
  }

  /**
   * How a partition is read again. If the run has a limit, the partition has its share of it, so that its last page has the
   * same items as before.
   */
  #readingAgain({ partition, limit, checkpoint }: RunRecord): Reading & ReadContext {
    return { ...this.#reading(partition), limit: limit && checkpoint.items };
  }

  #reading(partition = this.#run.partition): Reading & ReadContext {
    const onWait = (wait: SourceWait) => {
      this.#wait = wait;
    };
    const { limit } = this.#run;
    const { signal, shutdown } = this.#time;
    const reading = shutdown === undefined ? signal : AbortSignal.any([signal, shutdown]);
    return {
      limit,
      partition: partition && partitionForSource(partition),
      signal: reading,
      warn: this.#warnings.warn,
      now: this.#context.now,
      onWait,
    };
  }
}

/** The partition as the source itself returned it. */
const partitionForSource = ({ id, cursor }: RunPartition): Partition => ({
  id,
  ...(cursor !== undefined && { cursor }),
});

/** Whether the run's status forbids another page. */
const mustStop = (run: RunRecord): boolean => isStopping(run) || run.status === "paused";
