import { setTimeout } from "node:timers/promises";
import type { Queue } from "../aws/queue.ts";
import { LONGEST_HIDING_MILLISECONDS } from "../aws/quotas.ts";
import { formatDuration, toMilliseconds } from "../base/duration.ts";
import { MalformedMessageError, SourceError, toError } from "../base/errors.ts";
import type { Metrics } from "../base/metrics.ts";
import { NewerVersionError } from "../base/newer-version.ts";
import { backoffMilliseconds } from "../base/retry.ts";
import { LONG_WAIT_MILLISECONDS } from "../base/waits.ts";
import { topology } from "../definition/topology.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { type BacklogLook, isStopping, isWaiting, type RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import {
  type ContinueMessage,
  type ControlMessage,
  continueEntry,
  parseControlMessage,
  type StartMessage,
  startEntry,
  waitEntry,
  waitGroup,
} from "../messages/control.ts";
import { newerVersionDelay } from "../messages/newer-version-delay.ts";
import { LONGEST_SOURCE_WAIT, SourceWait } from "../sources/source-wait.ts";
import { backlogBeside, backlogOf, backlogPauseMilliseconds } from "./backlog.ts";
import { chunks } from "./chunks.ts";
import { type CompletionOptions, handleCompletion } from "./completion.ts";
import { PagePipeline } from "./page-pipeline.ts";
import { sendAgain } from "./resend.ts";
import { PageSender } from "./sender.ts";
import type { Verdict } from "./verdict.ts";
import { WarningCollector } from "./warning-collector.ts";

/** Slices in a row that may fail before the run does. */
const SLICE_POLICY = { attempts: 5, baseMilliseconds: 1_000, capMilliseconds: 60_000 } as const;

/** How often a start that waits for an earlier run looks again. */
const OVERLAP_PAUSE_MILLISECONDS = 30_000;

/** How soon a producer looks again at a run that another one has moved on. */
const SUPERSEDED_PAUSE_MILLISECONDS = 1_000;

/** A message that waited so often is replaced by a fresh one, well before the control queue's receive limit. */
const MOST_RECEIVES = 50;

/** Pauses between the requests to a source that was told to wait, but not for how long. */
const UNKNOWN_WAIT = { baseMilliseconds: 5_000, capMilliseconds: 900_000 } as const;

/** The invocation itself waits for up to this time: passing the run on would cost as much. */
const LONGEST_PAID_WAIT_MILLISECONDS = 5_000;

const LONGEST_REASON = 500;

export interface ProducerOptions extends CompletionOptions {
  readonly maxBacklog: number;
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly controlQueue: Queue;
  readonly deadLetterQueue: Queue;
  readonly metrics: Metrics;
  readonly now: () => number;
  /** Resolves after a time, or when the signal fires. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** A control message and how often it came. */
export interface ReceivedControl {
  readonly id: string;
  readonly body: string;
  /** Its message group: while one is worked on, none of the same group is delivered. */
  readonly group: string | undefined;
  readonly receiveCount: number;
  /** When it was sent, in milliseconds since 1970. */
  readonly sentAt?: number;
}

/** Until when an invocation may work. */
export interface SliceTime {
  /** No page is begun after it, in the clock's milliseconds. */
  readonly sliceEnd: number;
  /** Fires when even the page under way must be given up. */
  readonly signal: AbortSignal;
  /** Fires when another producer may have the control message: no page is begun after it. */
  readonly lost: AbortSignal;
}

const DONE: Verdict = { tag: "done" };
const LEFT: Verdict = { tag: "left" };

const isPermanent = (thrown: unknown): boolean => thrown instanceof SourceError && thrown.permanent;

const isoTime = (milliseconds: number): string => new Date(milliseconds).toISOString();

async function sleepUnlessAborted(milliseconds: number, signal: AbortSignal): Promise<void> {
  // The caller looks at the signal itself.
  await setTimeout(milliseconds, undefined, { signal }).catch(() => {});
}

const isToStop = (run: RunRecord): boolean => isStopping(run) || run.status === "paused";

/** What the start of a run has under way while its first page is read. */
interface Begun {
  /** How full the queue is. */
  readonly looking: Promise<BacklogLook>;
  /** Resolves when the run is one of the active runs. */
  readonly entered: Promise<void>;
}

/** How a slice of paging ended. */
type SliceEnd =
  | { readonly tag: "ended" | "time" | "superseded" | "paused" | "stopped" }
  | { readonly tag: "full"; readonly look: BacklogLook; readonly pauseMilliseconds: number };

/** Pages a source into the queue, a slice an invocation. Made anew for each: several may share a process. */
export class Producer {
  readonly #options: ProducerOptions;
  readonly #sender: PageSender;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#sender = new PageSender({ ...options, workflow: options.workflow.name });
  }

  /**
   * Works on a control message. A malformed one is moved to the control queue's dead-letter queue. One that a newer
   * version of Sluice wrote waits for its producer, and so does one of a run that a newer version began.
   */
  async handle(control: ReceivedControl, time: SliceTime): Promise<Verdict> {
    try {
      return await this.#handle(parseControlMessage(control.body), control, time);
    } catch (thrown) {
      const error = toError(thrown);
      if (error instanceof MalformedMessageError) return await this.#bury(control, error);
      if (error instanceof NewerVersionError) return this.#leaveToNewer(control, error);
      throw thrown;
    }
  }

  #leaveToNewer(control: ReceivedControl, error: Error): Verdict {
    const { metrics, logger, now, random, workflow } = this.#options;
    metrics.count("newerVersion", 1);
    logger.warn("put back a control message for a newer version of Sluice", { error });
    return {
      tag: "wait",
      milliseconds: newerVersionDelay(control, topology(workflow).controlQueue, now(), random()),
    };
  }

  async #handle(message: ControlMessage, control: ReceivedControl, time: SliceTime): Promise<Verdict> {
    switch (message.type) {
      case "start":
        return await this.#start(message, control, time);
      case "continue":
        if (control.group === waitGroup(message.run)) return await this.#awaitSource(message, control);
        return await this.#continue(message, control, time);
      case "complete":
        return await handleCompletion(message, this.#options, time.signal);
    }
  }

  // Left where it is, it would come again a hundred times, and hold up the messages of its group.
  async #bury({ body, id }: ReceivedControl, error: Error): Promise<Verdict> {
    this.#options.logger.error("a message on the control queue is none of ours", { error });
    const entry = { body, group: "malformed", deduplicationId: `malformed-${id}` };
    await this.#options.controlDeadLetterQueue.sendControl(entry, { SluiceReason: "malformed control message" });
    return DONE;
  }

  /**
   * Records the run, sends its first page, and passes it on, a slice at a time. So consumers need not wait for a second
   * invocation, and a run of one page does without. A start by a schedule only records the run: its message group is
   * not the run's, so a continuation (of a run that is cancelled at once) could work on the run beside it, and other
   * starts would wait for its page.
   */
  async #start(message: StartMessage, control: ReceivedControl, time: SliceTime): Promise<Verdict> {
    const { run: id, workflow: name } = message;
    const { runs, controlQueue, workflow } = this.#options;
    if (message.scheduled === true && workflow.overlap !== "allow") {
      const verdict = await this.#giveWay(message, control);
      if (verdict !== undefined) return verdict;
    }
    // One that comes again may have died over the first page, which only a continuation counts.
    const sendsPage = control.group === id && control.receiveCount === 1;
    const looking = sendsPage ? this.#look(0) : undefined;
    looking?.catch(() => {});
    const { record: run, entered } = await runs.begin(this.#toCreate(message));
    // A second delivery of a start that was passed on would only be dropped.
    if (run.hop > 0 || run.status === "skipped") return DONE;
    // A start may be delivered as new again, after its source has asked to wait: then the continuation waits.
    const mayRead = run.status === "running" && !isWaiting(run, this.#options.now());
    const ended = looking !== undefined && mayRead && (await this.#sendFirstPage(run, time, { looking, entered }));
    // If it failed, the start is delivered again: a run goes on only as one of the active runs.
    await entered;
    if (time.lost.aborted) return LEFT;
    if (!ended) await controlQueue.sendControl(continueEntry({ run: id, workflow: name, hop: 1 }));
    return DONE;
  }

  /**
   * Whether nothing is left to produce: it was the last page, too, or the source failed permanently. Any other failure
   * is tried again, and counted, by the run's continuation.
   */
  async #sendFirstPage(run: RunRecord, time: SliceTime, begun: Begun): Promise<boolean> {
    const warnings = new WarningCollector(run, this.#options.logger);
    try {
      const { tag } = await this.#slice(run, { ...time, sliceEnd: Number.NEGATIVE_INFINITY }, warnings, begun);
      return tag === "ended";
    } catch (error) {
      if (error instanceof SourceWait) {
        // The continuation finds that the run waits.
        return (await this.#recordWait(run, error, warnings.all)) === "failed";
      }
      if (isPermanent(error)) {
        await this.#failPermanently(run.id, error);
        return true;
      }
      this.#options.logger.warn("the first page could not be sent, it is tried again", { run: run.id, error });
      return false;
    }
  }

  /** What a scheduled start does while an earlier run still works; `undefined` where none does, or it began before. */
  async #giveWay(message: StartMessage, control: ReceivedControl): Promise<Verdict | undefined> {
    const { run: id, workflow: name, requestedAt } = message;
    const { runs, workflow, logger } = this.#options;
    const known = await runs.find(id);
    if (known !== undefined && (known.hop > 0 || known.status !== "running")) return undefined;
    // A start that gives way at once writes no row of a run that it might have to take back.
    const [active] = known === undefined ? await runs.active.list() : [];
    const earlier = active ?? (await this.#enterAlone(message));
    if (earlier === undefined) return undefined;
    if (workflow.overlap !== "skip") return await this.#waitForEarlier(message, control);
    logger.warn("skipped a scheduled run, an earlier one still works", { run: id, earlier: earlier.id });
    await runs.skip({ id, workflow: name, requestedAt }, earlier);
    return DONE;
  }

  /** Makes the run one that may begin, or returns the run that became active in the meantime. */
  async #enterAlone(message: StartMessage): Promise<RunRecord | undefined> {
    const { runs } = this.#options;
    const run = await runs.create({ ...this.#toCreate(message), exclusive: true });
    return run.status === "running" ? await runs.active.enterAlone(run) : undefined;
  }

  #toCreate({ run: id, workflow: name, requestedAt, limit }: StartMessage): Parameters<Runs["create"]>[0] {
    const { workflow } = this.#options;
    return { id, workflow: name, requestedAt, limit: limit ?? workflow.limit, tolerance: workflow.toleratedFailures };
  }

  async #waitForEarlier(message: StartMessage, control: ReceivedControl): Promise<Verdict> {
    if (control.receiveCount < MOST_RECEIVES) return { tag: "wait", milliseconds: OVERLAP_PAUSE_MILLISECONDS };
    const { sluice: _, type: __, ...start } = message;
    await this.#options.controlQueue.sendControl(startEntry({ ...start, hop: (message.hop ?? 0) + 1 }));
    return DONE;
  }

  async #continue(message: ContinueMessage, control: ReceivedControl, time: SliceTime): Promise<Verdict> {
    const { run: id, hop } = message;
    const { runs, logger, now } = this.#options;
    const run = await runs.takeUp(id, hop, now());
    if (run === undefined) {
      logger.info("nothing to continue", { run: id, hop });
      return DONE;
    }
    if (isStopping(run)) {
      await runs.endProduction(run);
      // Of these pages no messages are left, or not of all.
      const withoutMessages = run.missing ? 0 : run.resend?.pages;
      if (withoutMessages !== undefined) await runs.cancelPending(run, withoutMessages);
      const isOver = () => time.lost.aborted || time.signal.aborted || now() >= time.sliceEnd;
      // The messages of the others soon come to a consumer, which drops them.
      if (await runs.cancelWaiting(run, now() + LONG_WAIT_MILLISECONDS, isOver)) return DONE;
      if (time.lost.aborted) return LEFT;
      await this.#passOn(id, hop);
      return DONE;
    }
    if (isWaiting(run, now())) return await this.#sitOut(run, message, control, time);
    if (run.failedSlices >= SLICE_POLICY.attempts) {
      // Those slices did not live to say why.
      const why = run.sliceError ?? "they crashed, ran out of time or lost their control message";
      await runs.fail(id, `the producer failed ${run.failedSlices} times in a row: ${why}`);
      return DONE;
    }
    const warnings = new WarningCollector(run, logger);
    let end: SliceEnd;
    try {
      end = await this.#slice(run, time, warnings);
    } catch (thrown) {
      // The producer that has the message now goes on from the checkpoint, and counts this slice if it made no
      // progress.
      if (time.lost.aborted) return LEFT;
      if (thrown instanceof SourceWait) {
        const waiting = await this.#recordWait(run, thrown, warnings.all);
        if (waiting === "failed") return DONE;
        if (waiting === "superseded") return await this.#wait(id, SUPERSEDED_PAUSE_MILLISECONDS, hop, control);
        return await this.#sitOut(waiting, message, control, time);
      }
      return await this.#failSlice({ id, thrown, warnings: warnings.all, hop }, control);
    }
    if (time.lost.aborted) return LEFT;
    if (end.tag === "full") {
      await runs.recordFull(id, end.look);
      return await this.#wait(id, end.pauseMilliseconds, hop, control);
    }
    // The producer that moved the run on may have died, or lost this message, before it passed the run on.
    if (end.tag === "superseded") return await this.#wait(id, SUPERSEDED_PAUSE_MILLISECONDS, hop, control);
    if (end.tag === "time") await this.#passOn(id, hop);
    return DONE;
  }

  /** @param begun What the start of the run has under way, for a run's first page. */
  async #slice(
    start: RunRecord,
    { sliceEnd, signal, lost }: SliceTime,
    warnings: WarningCollector,
    begun?: Begun,
  ): Promise<SliceEnd> {
    const { runs, workflow, maxBacklog, now } = this.#options;
    let told: SourceWait | undefined;
    const onWait = (wait: SourceWait) => {
      told = wait;
    };
    const reading = { limit: start.limit, signal, warn: warnings.warn, now, onWait };
    if (start.resend !== undefined) {
      const isOver = () => lost.aborted || now() >= sliceEnd;
      const options = { ...this.#options, source: workflow.source, sender: this.#sender, isOver };
      const end = await sendAgain(start, start.resend, options, reading);
      if (told !== undefined && end !== "stopped") throw told;
      if (end !== "done") return { tag: end };
    }
    // A run's first slice has nothing before it that could be left to close.
    if (start.checkpoint.count > 0) await runs.closeAgain(start);
    if (start.checkpoint.ended) return { tag: "ended" };
    // Before the source is asked: pages that there is no room for would be read in vain.
    const first = await (begun?.looking ?? this.#look(start.checkpoint.items));
    const full = (look: BacklogLook, ...earlier: BacklogLook[]): SliceEnd => {
      const pauseMilliseconds = backlogPauseMilliseconds(maxBacklog, look, [start.fullAt, ...earlier]);
      return { tag: "full", look, pauseMilliseconds };
    };
    let room = maxBacklog - first.backlog;
    if (room <= 0) return full(first);
    const pipeline = new PagePipeline(
      { ...this.#options, sender: this.#sender, warnings, maySend: begun?.entered },
      start,
    );
    let isRefused = false;
    try {
      for await (const chunk of chunks(workflow.source, start.checkpoint, reading)) {
        if (room <= 0) {
          const run = await pipeline.checkpointed();
          if (run === undefined || isToStop(run)) break;
          const look = await this.#look(run.checkpoint.items);
          room = maxBacklog - look.backlog;
          if (room <= 0) {
            if (told !== undefined) throw told;
            return full(look, first);
          }
        }
        const before = await pipeline.push(chunk);
        isRefused = before === undefined;
        if (before === undefined || isToStop(before) || lost.aborted || now() >= sliceEnd) break;
        room -= chunk.items.length;
      }
      const end = await this.#conclude(await pipeline.checkpointed(), isRefused);
      // Of the page that was read ahead: the next slice must know.
      if (told !== undefined && (end.tag === "time" || end.tag === "paused")) throw told;
      return end;
    } finally {
      // What an invocation leaves under way would stand still with its environment, and go on at any later time.
      await pipeline.settled();
    }
  }

  /**
   * How a slice has ended after whose last page the run is as it says.
   *
   * @param isRefused Whether its next page must not be sent: another producer works on the run.
   */
  async #conclude(run: RunRecord | undefined, isRefused: boolean): Promise<SliceEnd> {
    if (run === undefined) return { tag: "superseded" };
    if (run.checkpoint.ended) return { tag: "ended" };
    if (isStopping(run)) {
      await this.#options.runs.endProduction(run);
      return { tag: "stopped" };
    }
    if (run.status === "paused") return { tag: "paused" };
    return { tag: isRefused ? "superseded" : "time" };
  }

  async #look(produced: number): Promise<BacklogLook> {
    const { queue, runs, maxBacklog, logger, now } = this.#options;
    const backlog = backlogOf(await queue.depth());
    const at = now();
    if (backlog < maxBacklog) return { at, produced, backlog };
    // Where it cannot be found out, the queue counts as full for now.
    const resting = await runs.resting().catch(() => 0);
    const beside = backlogBeside(backlog, resting, maxBacklog);
    if (resting > 0 && beside >= maxBacklog) {
      logger.warn("the queue is full, also of messages of paused runs: resume or cancel one", { backlog, resting });
    }
    return { at, produced, backlog: beside };
  }

  async #failSlice(
    { id, thrown, warnings, hop }: { id: string; thrown: unknown; warnings: readonly string[]; hop: number },
    control: ReceivedControl,
  ): Promise<Verdict> {
    const { runs, logger, metrics, random } = this.#options;
    if (isPermanent(thrown)) {
      await this.#failPermanently(id, thrown);
      return DONE;
    }
    const { message } = toError(thrown);
    // Slices that made progress before they failed have set the count back.
    const { failedSlices, warnings: known } = await runs.get(id);
    const failures = Math.max(1, failedSlices);
    metrics.count("slicesFailed", 1);
    logger.error("the producer failed", { run: id, failures, error: thrown });
    await runs.recordSlice(id, failures, message, { known, warnings });
    if (failures >= SLICE_POLICY.attempts) {
      await runs.fail(id, `the producer failed ${failures} times in a row: ${message}`);
      return DONE;
    }
    return await this.#wait(id, backoffMilliseconds(SLICE_POLICY, failures, random()), hop, control);
  }

  /** Fails a run of which the next slice would fail in the same way. */
  async #failPermanently(id: string, error: unknown): Promise<void> {
    const { runs, logger, metrics } = this.#options;
    metrics.count("slicesFailed", 1);
    logger.error("the source failed permanently", { run: id, error });
    await runs.fail(id, toError(error).message);
  }

  /**
   * Notes that the source was told to wait: from now on no producer reads it before that time, not even after a crash.
   *
   * @param before The run as the slice found it.
   * @returns the run, which waits; or that it has failed, as the wait is too long; or that another producer moved it
   *   on.
   */
  async #recordWait(
    before: RunRecord,
    { message, until: asked }: SourceWait,
    warnings: readonly string[],
  ): Promise<RunRecord | "failed" | "superseded"> {
    const { runs, logger, now, random } = this.#options;
    const run = await runs.get(before.id);
    const at = now();
    const { since = at, count = 0 } = run.wait ?? {};
    // Half of it is fixed: runs that were refused together do not return together, nor any of them at once.
    const pause = Math.min(UNKNOWN_WAIT.capMilliseconds, UNKNOWN_WAIT.baseMilliseconds * 2 ** count);
    const until = Math.ceil(asked ?? at + pause * (0.5 + random() / 2));
    const longest = toMilliseconds(LONGEST_SOURCE_WAIT, { option: "the longest wait" });
    if (until - since > longest) {
      const error = new SourceError(
        `the source asks to wait until ${isoTime(until)}, longer than the ${formatDuration(longest)} for which a run ` +
          `waits at the most (since ${isoTime(since)}): ${message}. Resume the run then`,
        { permanent: true },
      );
      await this.#failPermanently(run.id, error);
      return "failed";
    }
    const wait = { until, since, count: count + 1, reason: message.slice(0, LONGEST_REASON) };
    logger.warn("the source was told to wait", { run: run.id, until: isoTime(until), reason: wait.reason });
    // A slice that made progress before has set the count back.
    const failedSlices = run.failedSlices === 0 ? 0 : before.failedSlices;
    const recorded = await runs.recordWait(run, wait, failedSlices, warnings);
    return recorded ? { ...run, wait } : "superseded";
  }

  /**
   * Goes on after a wait: in this invocation if it is short, and otherwise by a hidden message, which costs nothing.
   */
  async #sitOut(
    { id, wait }: RunRecord,
    message: ContinueMessage,
    control: ReceivedControl,
    time: SliceTime,
  ): Promise<Verdict> {
    const { controlQueue, now, sleep = sleepUnlessAborted } = this.#options;
    const until = wait?.until ?? 0;
    const left = until - now();
    if (left <= LONGEST_PAID_WAIT_MILLISECONDS && until < time.sliceEnd) {
      await sleep(Math.max(0, Math.ceil(left)), AbortSignal.any([time.signal, time.lost]));
      if (!time.signal.aborted && !time.lost.aborted) return await this.#continue(message, control, time);
    }
    await controlQueue.sendControl(waitEntry({ run: id, workflow: message.workflow, hop: message.hop }));
    return DONE;
  }

  /**
   * What a message does that only waits: it is hidden until the source may be read again, and continues the run then.
   */
  async #awaitSource({ run: id, workflow, hop }: ContinueMessage, control: ReceivedControl): Promise<Verdict> {
    const { runs, controlQueue, now } = this.#options;
    const run = await runs.find(id);
    // A `resume` sends a message of its own.
    if (run?.status !== "running") return DONE;
    const left = (run.wait?.until ?? 0) - now();
    if (left <= 0) await this.#passOn(id, run.hop);
    else if (control.receiveCount < MOST_RECEIVES) {
      return { tag: "wait", milliseconds: Math.min(left, LONGEST_HIDING_MILLISECONDS) };
    } else await controlQueue.sendControl(waitEntry({ run: id, workflow, hop }, `-after-${control.id}`));
    return DONE;
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
