import { toError } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import { type ContinueMessage, continueEntry, parseControlMessage, type StartMessage } from "../messages/control.ts";
import type { Metrics } from "../metrics.ts";
import type { Queue } from "../queue.ts";
import { backoffMilliseconds } from "../retry.ts";
import type { TaskLogger } from "../task.ts";
import type { Workflow } from "../workflow.ts";
import { backlogOf, backlogPauseMilliseconds } from "./backlog.ts";
import { chunks } from "./chunks.ts";
import { PageSender } from "./sender.ts";

/** Slices in a row that may fail before the run does. */
const SLICE_POLICY = { attempts: 5, baseMilliseconds: 1_000, capMilliseconds: 60_000 } as const;

/** A message that waited so often is replaced by a fresh one, well before the control queue's receive limit. */
const MOST_RECEIVES = 50;

export interface ProducerOptions {
  readonly workflow: Workflow;
  readonly maxBacklog: number;
  readonly runs: Runs;
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly controlQueue: Queue;
  readonly deadLetterQueue: Queue;
  readonly logger: TaskLogger;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly random: () => number;
}

/** A control message and how often it came. */
export interface ReceivedControl {
  readonly body: string;
  readonly receiveCount: number;
}

/** Until when an invocation may work. */
export interface SliceTime {
  /** No page is begun after it, in the clock's milliseconds. */
  readonly sliceEnd: number;
  /** Fires when even the page under way must be given up. */
  readonly signal: AbortSignal;
}

/** What becomes of a control message: it is done with, or comes again after a while. */
export type Verdict = { readonly tag: "done" } | { readonly tag: "wait"; readonly milliseconds: number };

const DONE: Verdict = { tag: "done" };

/** How a slice of paging ended. */
type SliceEnd =
  | { readonly tag: "ended" | "time" | "superseded" }
  | { readonly tag: "backlog"; readonly milliseconds: number };

/** Pages a source into the queue, a slice an invocation. Made anew for each: several may share a process. */
export class Producer {
  readonly #options: ProducerOptions;
  readonly #sender: PageSender;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#sender = new PageSender({ ...options, workflow: options.workflow.name });
  }

  /** @throws {MalformedMessageError} It is no control message. */
  async handle(control: ReceivedControl, time: SliceTime): Promise<Verdict> {
    const message = parseControlMessage(control.body);
    return message.type === "start" ? await this.#start(message) : await this.#continue(message, control, time);
  }

  // Only records the run and passes it on: its slices belong to the run's own message group, one at a time.
  async #start({ run: id, workflow, requestedAt, limit }: StartMessage): Promise<Verdict> {
    const { runs, controlQueue } = this.#options;
    await runs.create({ id, workflow, requestedAt, limit: limit ?? this.#options.workflow.limit });
    await controlQueue.sendControl(continueEntry({ run: id, workflow, hop: 1 }));
    return DONE;
  }

  async #continue({ run: id, hop }: ContinueMessage, control: ReceivedControl, time: SliceTime): Promise<Verdict> {
    const { runs, logger } = this.#options;
    const run = await runs.takeUp(id, hop);
    if (run === undefined) {
      logger.info("nothing to continue", { run: id, hop });
      return DONE;
    }
    if (run.failedSlices >= SLICE_POLICY.attempts) {
      // Those slices did not live to say why.
      const why = run.sliceError ?? "they crashed or ran out of time";
      await runs.fail(id, `the producer failed ${run.failedSlices} times in a row: ${why}`);
      return DONE;
    }
    let end: SliceEnd;
    try {
      end = await this.#slice(run, time);
    } catch (thrown) {
      return await this.#failSlice(id, thrown, hop, control);
    }
    if (end.tag === "backlog") {
      await runs.recordSlice(id, 0);
      return await this.#wait(id, end.milliseconds, hop, control);
    }
    if (end.tag === "time") await this.#passOn(id, hop);
    return DONE;
  }

  async #slice(start: RunRecord, { sliceEnd, signal }: SliceTime): Promise<SliceEnd> {
    const { runs, workflow, metrics, now } = this.#options;
    await runs.closeAgain(start);
    if (start.checkpoint.ended) return { tag: "ended" };
    let run = start;
    let room = 0;
    const { limit } = run;
    for await (const chunk of chunks(workflow.source, run.checkpoint, { limit, signal })) {
      if (room <= 0) {
        const state = await this.#backlog(run);
        room = state.room;
        if (room <= 0) return { tag: "backlog", milliseconds: state.pauseMilliseconds };
      }
      const { pages, items } = run.checkpoint;
      if (chunk.items.length > 0) {
        const { deadLettered } = await this.#sender.send(run.id, pages, chunk.items);
        metrics.count("produced", chunk.items.length);
        metrics.count("deadLettered", deadLettered);
        room -= chunk.items.length;
      }
      const next = await runs.checkpoint(run, {
        ...chunk.after,
        pages: pages + (chunk.items.length > 0 ? 1 : 0),
        items: items + chunk.items.length,
      });
      if (next === undefined) return { tag: "superseded" };
      run = next;
      if (run.checkpoint.ended) return { tag: "ended" };
      if (now() >= sliceEnd) return { tag: "time" };
    }
    return { tag: "ended" };
  }

  async #backlog({ requestedAt, checkpoint }: RunRecord): Promise<{ room: number; pauseMilliseconds: number }> {
    const { queue, maxBacklog, now } = this.#options;
    const backlog = backlogOf(await queue.depth());
    const elapsedMilliseconds = now() - Date.parse(requestedAt);
    return {
      room: maxBacklog - backlog,
      pauseMilliseconds: backlogPauseMilliseconds({
        backlog,
        maxBacklog,
        produced: checkpoint.items,
        elapsedMilliseconds,
      }),
    };
  }

  async #failSlice(id: string, thrown: unknown, hop: number, control: ReceivedControl): Promise<Verdict> {
    const { runs, logger, random } = this.#options;
    const { message } = toError(thrown);
    // Slices that made progress before they failed have set the count back.
    const { failedSlices } = await runs.get(id);
    const failures = Math.max(1, failedSlices);
    logger.error("the producer failed", { run: id, failures, error: thrown });
    await runs.recordSlice(id, failures, message);
    if (failures >= SLICE_POLICY.attempts) {
      await runs.fail(id, `the producer failed ${failures} times in a row: ${message}`);
      return DONE;
    }
    return await this.#wait(id, backoffMilliseconds(SLICE_POLICY, failures, random()), hop, control);
  }

  async #wait(id: string, milliseconds: number, hop: number, control: ReceivedControl): Promise<Verdict> {
    if (control.receiveCount < MOST_RECEIVES) return { tag: "wait", milliseconds };
    await this.#passOn(id, hop);
    return DONE;
  }

  async #passOn(run: string, hop: number): Promise<void> {
    const { controlQueue, workflow } = this.#options;
    await controlQueue.sendControl(continueEntry({ run, workflow: workflow.name, hop: hop + 1 }));
  }
}
