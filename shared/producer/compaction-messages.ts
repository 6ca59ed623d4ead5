import { randomBytes } from "node:crypto";
import { SluiceError, toError } from "../base/errors.ts";
import { backoffMilliseconds } from "../base/retry.ts";
import { completeBlocksOf } from "../ledger/block-groups.ts";
import type { RunRecord } from "../ledger/run-record.ts";
import { toAttributeText } from "../messages/body.ts";
import { type CompactMessage, compactEntry } from "../messages/control.ts";
import { compactRun, isOutdated } from "../results/compaction.ts";
import type { ProducerContext } from "./context.ts";
import type { ReceivedControl } from "./received-control.ts";
import { isOver, type SliceTime } from "./slice-time.ts";
import { DONE, LEFT, type Verdict } from "./verdict.ts";

/** How often a slice of a compaction is tried, and the backoff between the tries: about two hours in total. */
const POLICY = { attempts: 30, baseMilliseconds: 1_000, capMilliseconds: 300_000 } as const;

/**
 * After the first manifest, a compaction waits for the other successes of the same redrive: at least the shortest time, and
 * until no redriven item is pending, but not longer than the longest time. Each look reads page rows, so the next one is
 * after half of the time so far, or after a minute.
 */
const REDRIVE = {
  shortestMilliseconds: 30_000,
  longestMilliseconds: 900_000,
  share: 0.5,
  longestPauseMilliseconds: 60_000,
} as const;

/** The most receives of a message that only look whether the redrive has ended. They do not count as tries. */
const MOST_LOOKS = 20;

/** The most characters of the reason that a message in the dead-letter queue carries. */
const LONGEST_REASON = 1_000;

/** Asks for the first compaction after the end of a run. */
export async function compactAtEnd(id: string, context: ProducerContext): Promise<void> {
  if (context.resultStore === undefined) return;
  const run = await context.runs.find(id);
  if (run?.results !== undefined && run.results.manifest === undefined) await context.runs.results.ask(run);
}

/** Asks for a compaction while a run works, if more blocks are complete than are compacted. */
export async function compactOnTheWay(run: RunRecord, context: ProducerContext): Promise<void> {
  const { results } = run;
  if (results === undefined) return;
  // A run with partitions has no blocks of its own.
  const complete = await completeBlocksOf(context.ledger.store, run);
  if (complete.size > results.compactedBlocks) await context.runs.results.ask(run);
}

/** Handles a `compact` message: one slice of the compaction of a run's results. */
export async function handleCompaction(
  message: CompactMessage,
  control: ReceivedControl,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict> {
  const { logger, metrics, random } = context;
  const { run: id } = message;
  try {
    return await compact(message, control, time, context);
  } catch (thrown) {
    const error = toError(thrown);
    metrics.count("slicesFailed", 1);
    logger.error("the results of a run could not be compacted", { run: id, attempt: control.receiveCount, error });
    const looks = message.round > 1 ? MOST_LOOKS : 0;
    if (control.receiveCount >= POLICY.attempts + looks) return await deadLetter(message, error, context);
    return { tag: "wait", milliseconds: backoffMilliseconds(POLICY, control.receiveCount, random()) };
  }
}

async function compact(
  message: CompactMessage,
  { sentAt }: ReceivedControl,
  time: SliceTime,
  context: ProducerContext,
): Promise<Verdict> {
  const { runs, resultStore: store, now, newId = newObjectId } = context;
  const ledgerStore = context.ledger.store;
  const { run: id, round, slice, progress } = message;
  const run = await runs.find(id);
  if (run?.results === undefined) return DONE;
  if (store === undefined) {
    throw new SluiceError(
      "NO_RESULT_STORE",
      `run ${id} keeps results, and this code was deployed from a definition without results: deploy one with results`,
      { ids: { run: id } },
    );
  }
  if (round > run.results.compactionsDone) {
    if (slice === 0 && run.results.manifest !== undefined) {
      const milliseconds = await waitForRedrive(run, now() - sentAt, runs);
      if (milliseconds > 0) return { tag: "wait", milliseconds };
    }
    const end = await compactRun({ ...run, results: run.results }, progress, {
      store,
      ledgerStore,
      runs,
      now,
      newId,
      isOver: () => isOver(time, now()),
      partBytes: context.partBytes,
    });
    if (time.lost.aborted) return LEFT;
    if (end.tag === "time") {
      await context.controlQueue.sendControl(
        compactEntry({ workflow: run.workflow, run: id, round, slice: slice + 1, progress: end.progress }),
      );
      return DONE;
    }
    await runs.results.done(id, round, end.compactedBlocks);
  }
  // An item may have succeeded, or the run may have ended, after this slice looked and before its end was noted. Its worker
  // found the compaction under way and asked for none.
  const after = await runs.find(id);
  if (after?.results === undefined) return DONE;
  if (await isOutdated({ ...after, results: after.results }, { store, ledgerStore })) {
    await runs.results.ask(after);
  }
  return DONE;
}

/** How long a compaction after the first manifest waits, `waited` milliseconds after it was asked for. 0 or less: it begins now. */
async function waitForRedrive(
  run: RunRecord,
  waited: number,
  runs: Pick<ProducerContext["runs"], "counts">,
): Promise<number> {
  const { shortestMilliseconds, longestMilliseconds, longestPauseMilliseconds, share } = REDRIVE;
  if (waited < shortestMilliseconds) return shortestMilliseconds - waited;
  if ((await runs.counts(run)).pending === 0) return 0;
  return Math.min(longestMilliseconds - waited, longestPauseMilliseconds, waited * share);
}

/** Sends a copy of the message to the control queue's dead-letter queue. The copy can be redriven unchanged. */
async function deadLetter(
  message: CompactMessage,
  error: Error,
  { controlDeadLetterQueue }: ProducerContext,
): Promise<Verdict> {
  const { workflow, run, round, slice, progress } = message;
  const entry = compactEntry({ workflow, run, round, slice, progress });
  const reason = toAttributeText(`the results could not be compacted: ${error.message}`.slice(0, LONGEST_REASON));
  await controlDeadLetterQueue.sendControl(entry, { SluiceReason: reason });
  return DONE;
}

const newObjectId = (): string => randomBytes(8).toString("hex");
