import type { Metrics } from "../base/metrics.ts";
import type { Checkpoint, RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import type { Chunk } from "./chunks.ts";
import type { PageSender, WrittenPage } from "./sender.ts";

/** The options of `PagePipeline`. */
export interface PagePipelineOptions {
  readonly runs: Runs;
  readonly sender: PageSender;
  readonly metrics: Metrics;
  /** The warnings of the source so far. Each checkpoint stores the new ones. */
  readonly warnings: { readonly all: readonly string[] };
  /** Resolves when the run may send messages and write checkpoints. Absent: at once. */
  readonly maySend?: Promise<void> | undefined;
}

/** The run after a checkpoint. `undefined`: another producer has advanced the run, and this producer must stop. */
type Checkpointed = RunRecord | undefined;

/**
 * Sends the pages of a slice, and writes a checkpoint after each.
 *
 * For each page, the steps are: (1) write the page into the ledger, (2) send its messages, (3) write its checkpoint.
 * Pages are written in their order, and checkpoints too. The steps of two consecutive pages overlap: while the messages
 * of page n are sent, the checkpoint of page n − 1 and then the row of page n + 1 are written. So the messages do not
 * wait for these two requests. If the producer dies, at most two pages have no checkpoint, and the next slice sends
 * them again.
 */
export class PagePipeline {
  readonly #options: PagePipelineOptions;
  readonly #run: RunRecord;
  #pages: number;
  #items: number;
  #checkpointed: Promise<Checkpointed>;

  constructor(options: PagePipelineOptions, run: RunRecord) {
    this.#options = options;
    this.#run = run;
    this.#pages = run.checkpoint.pages;
    this.#items = run.checkpoint.items;
    this.#checkpointed = Promise.resolve(run);
  }

  /**
   * Writes a page into the ledger, and begins to send its messages. Resolves when the checkpoint of the page before is
   * written.
   *
   * @returns the run after that checkpoint. `undefined` if this page must not be sent: another producer has advanced
   *   the run, or the run was stopped before this page.
   */
  async push({ items, after }: Chunk): Promise<Checkpointed> {
    const { sender } = this.#options;
    const before = this.#checkpointed;
    let written: WrittenPage | undefined;
    if (items.length > 0) {
      written = await sender.write(this.#run, this.#pages, items);
      if (written === undefined) return undefined;
      this.#pages++;
      this.#items += items.length;
    }
    // The run begins to work with its first message or checkpoint, and must be among the active runs before that.
    // mutant: active-before-work
    await this.#options.maySend;
    const sending = written && sender.send(written);
    this.#checkpointed = this.#checkpoint(before, items.length, sending, {
      ...after,
      pages: this.#pages,
      items: this.#items,
    });
    // The next call of `push` or `checkpointed` awaits this promise. Until then, a rejection must not count as
    // unhandled.
    this.#checkpointed.catch(() => {});
    return await before;
  }

  /** Resolves with the run when the checkpoint of the last page is written. */
  async checkpointed(): Promise<Checkpointed> {
    return await this.#checkpointed;
  }

  /** Resolves when no request is under way. It never rejects. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#checkpointed]);
  }

  async #checkpoint(
    before: Promise<Checkpointed>,
    produced: number,
    sending: Promise<number> | undefined,
    next: Omit<Checkpoint, "count">,
  ): Promise<Checkpointed> {
    const { runs, metrics, warnings } = this.#options;
    // Await both, even if one fails, so that no request for the page is under way after this method has failed.
    await Promise.allSettled([before, sending]);
    const earlier = await before;
    const deadLettered = (await sending) ?? 0;
    metrics.count("produced", produced);
    metrics.count("deadLettered", deadLettered);
    const run = earlier && (await runs.progress.checkpoint(earlier, next, warnings.all));
    if (run === undefined) return undefined;
    // From this checkpoint on, the items of the page count. So its dead letters may now exceed the tolerated failures.
    if (deadLettered === 0) return run;
    const verdict = await runs.stopBeyondTolerance(run.id, deadLettered, { soon: true });
    if (verdict.tag !== "stopped") return run;
    // The record of a run does not say how far its partitions were read.
    const { status, failure } = verdict.run;
    return { ...run, status, failure };
  }
}
