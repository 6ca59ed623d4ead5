import type { Metrics } from "../base/metrics.ts";
import type { Checkpoint, RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import type { Chunk } from "./chunks.ts";
import type { PageSender, WrittenPage } from "./sender.ts";

export interface PageLineOptions {
  readonly runs: Runs;
  readonly sender: PageSender;
  readonly metrics: Metrics;
  /** What the source has warned of so far: each checkpoint stores what is new. */
  readonly warnings: { readonly all: readonly string[] };
  /** Resolves when messages may be sent. Until then pages are only written into the ledger. Default: at once. */
  readonly maySend?: Promise<void> | undefined;
}

/** A run after a checkpoint, or `undefined` where another producer has moved the run on: this one must stop. */
type Passed = RunRecord | undefined;

/**
 * The pages of a slice, two of them under way at once: while the messages of one are sent, the checkpoint of the one
 * before is written, and then the one after it into the ledger. So sending waits for neither. Pages are written in their
 * order, each before its messages are sent, and checkpoints follow each other in the same order. A producer that dies
 * leaves two pages at most which no checkpoint has passed.
 */
export class PageLine {
  readonly #options: PageLineOptions;
  readonly #run: string;
  #pages: number;
  #items: number;
  #passed: Promise<Passed>;

  constructor(options: PageLineOptions, run: RunRecord) {
    this.#options = options;
    this.#run = run.id;
    this.#pages = run.checkpoint.pages;
    this.#items = run.checkpoint.items;
    this.#passed = Promise.resolve(run);
  }

  /**
   * Writes a page, and begins to send it.
   *
   * @returns the run after the checkpoint of the page before, or `undefined` where no page must follow that one: another
   * producer has moved the run on, or closed it before this page.
   */
  async push({ items, after }: Chunk): Promise<Passed> {
    const { sender } = this.#options;
    const before = this.#passed;
    let written: WrittenPage | undefined;
    if (items.length > 0) {
      written = await sender.write(this.#run, this.#pages, items);
      if (written === undefined) return undefined;
      this.#pages++;
      this.#items += items.length;
    }
    // A run works as soon as it has a message or a checkpoint: from then on it must be one of the active runs.
    // mutant: active-before-work
    await this.#options.maySend;
    const sending = written && sender.send(written);
    this.#passed = this.#pass(before, items.length, sending, { ...after, pages: this.#pages, items: this.#items });
    // Seen by the one who awaits it; until then it is no unhandled rejection.
    this.#passed.catch(() => {});
    return await before;
  }

  /** Resolves when the checkpoint of the last page is written: with the run after it. */
  async passed(): Promise<Passed> {
    return await this.#passed;
  }

  /** Resolves when nothing is under way any more, whether it went well or not. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#passed]);
  }

  async #pass(
    before: Promise<Passed>,
    produced: number,
    sending: Promise<number> | undefined,
    next: Omit<Checkpoint, "count">,
  ): Promise<Passed> {
    const { runs, metrics, warnings } = this.#options;
    // Both to their end: when this one fails, nothing of the page is under way.
    const [earlier, sent] = await Promise.allSettled([before, sending]);
    if (earlier.status === "rejected") throw earlier.reason;
    if (sent.status === "rejected") throw sent.reason;
    const deadLettered = sent.value ?? 0;
    metrics.count("produced", produced);
    metrics.count("deadLettered", deadLettered);
    const run = earlier.value && (await runs.checkpoint(earlier.value, next, warnings.all));
    if (run === undefined) return undefined;
    // Only now do the items of this page count.
    return (deadLettered > 0 ? await runs.stopBeyondTolerance(run.id) : undefined) ?? run;
  }
}
