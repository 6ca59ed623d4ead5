import type { Queue } from "../aws/queue.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { type HeldDeadLetter, Pass, type PassOptions, type PassResult } from "./pass.ts";
import { type DeadLetter, isOurs, itemOf } from "./read-dead-letter.ts";

export interface PurgeOptions extends PassOptions {
  readonly deadLetterQueue: Queue;
  readonly ledger: Ledger;
  /** Which letters. Called once for each. */
  readonly select: (deadLetter: DeadLetter) => boolean;
  /** Keeps dead letters, before they are deleted; resolves once they are safe. Absent: nothing is kept. */
  readonly backup?: ((deadLetters: readonly DeadLetter[]) => Promise<void>) | undefined;
  /** Deletes nothing, and tells what would be. Default: false. */
  readonly dryRun?: boolean | undefined;
  /** After each step, beside `onProgress`. */
  readonly onDeleted?: ((deleted: number) => void) | undefined;
}

export interface PurgeResult extends PassResult {
  readonly selected: number;
  /** With `dryRun`: would be. */
  readonly deleted: number;
  /** SQS would not delete them: they are on the queue, and in the backup as well. */
  readonly leftBehind: number;
  /** A newer version of Sluice wrote them: they were left as they are, though they were selected. */
  readonly newer: number;
}

/**
 * Deletes selected dead letters, each after its backup. A dead letter that SQS itself moved here is first recorded as dead in the
 * ledger: its run would wait for it for ever.
 *
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Pass`.
 * @throws What `backup` throws: what it was given stays on the queue.
 */
export async function purge(options: PurgeOptions): Promise<PurgeResult> {
  const { deadLetterQueue, ledger, select, backup, dryRun = false, onDeleted } = options;
  let selected = 0;
  let deleted = 0;
  let leftBehind = 0;
  let newer = 0;
  const pass = new Pass(deadLetterQueue, options);
  const result = await pass.run(async (held) => {
    if (options.signal?.aborted) return;
    const meant = held.filter((deadLetter) => select(deadLetter));
    // Nothing here can tell what their run would wait for without them.
    const deadLetters = meant.filter(({ kind }) => kind !== "newer");
    newer += meant.length - deadLetters.length;
    selected += deadLetters.length;
    if (dryRun || deadLetters.length === 0) {
      deleted += deadLetters.length;
      return;
    }
    await backup?.(deadLetters.map(({ receiptHandle: _, ...deadLetter }) => deadLetter));
    await recordDeaths(ledger, deadLetters);
    const left = await pass.remove(deadLetters.map(({ id }) => id));
    leftBehind += left.size;
    deleted += deadLetters.length - left.size;
    onDeleted?.(deleted);
  });
  return { ...result, selected, deleted, leftBehind, newer };
}

/** Of dead letters whose death nobody has recorded: a consumer records those that it sends. */
async function recordDeaths(ledger: Ledger, deadLetters: readonly HeldDeadLetter[]): Promise<void> {
  const raw = deadLetters.filter((deadLetter) => isOurs(deadLetter)).filter(({ kind }) => kind === "raw");
  if (raw.length === 0) return;
  const fates = await ledger.itemFates(raw.map(itemOf));
  for (const [position, deadLetter] of raw.entries()) {
    const fate = fates[position];
    if (fate?.tag !== "pending") continue;
    const item = itemOf(deadLetter);
    if (await ledger.outcomes.claimDeath(item))
      await ledger.outcomes.recordDeath(item, "unexplained", fate.failures.length);
  }
}
