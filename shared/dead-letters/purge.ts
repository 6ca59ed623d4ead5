import type { Queue } from "../aws/queue.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { type DeadLetter, hasItemAddress, itemOf } from "./read-dead-letter.ts";
import { type HeldDeadLetter, Scan, type ScanOptions, type ScanResult } from "./scan.ts";

export interface PurgeOptions extends ScanOptions {
  readonly deadLetterQueue: Queue;
  readonly ledger: Ledger;
  /** Which dead letters. Called once for each. */
  readonly select: (deadLetter: DeadLetter) => boolean;
  /**
   * Stores dead letters before they are deleted. It resolves when they are stored safely. If it is absent, nothing is
   * stored.
   */
  readonly backup?: ((deadLetters: readonly DeadLetter[]) => Promise<void>) | undefined;
  /** Deletes nothing, and returns what it would delete. Default: false. */
  readonly dryRun?: boolean | undefined;
  /** Called after each step, beside `onProgress`. */
  readonly onDeleted?: ((deleted: number) => void) | undefined;
  /** Called after each step with the ids of dead letters that were deleted. */
  readonly onGone?: ((ids: readonly string[]) => void) | undefined;
}

export interface PurgeResult extends ScanResult {
  readonly selected: number;
  /** How many were deleted. With `dryRun`: how many would be. */
  readonly deleted: number;
  /** How many dead letters SQS refused to delete. They are in the queue and in the backup. */
  readonly leftBehind: number;
  /** How many selected dead letters a newer version of Sluice wrote. They were left as they are. */
  readonly newer: number;
}

/**
 * Deletes selected dead letters, each one after its backup. If SQS itself moved a message to the dead-letter queue, its
 * item is first recorded as dead in the ledger. Otherwise the run would wait forever for the item.
 *
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Scan`.
 * @throws What `backup` throws. The dead letters that `backup` received stay in the queue.
 */
export async function purge(options: PurgeOptions): Promise<PurgeResult> {
  const { deadLetterQueue, ledger, select, backup, dryRun = false, onDeleted } = options;
  let selected = 0;
  let deleted = 0;
  let leftBehind = 0;
  let newer = 0;
  const scan = new Scan(deadLetterQueue, options);
  const result = await scan.run(async (held) => {
    if (options.signal?.aborted) return;
    const chosen = held.filter((deadLetter) => select(deadLetter));
    // This code does not know whether the run of a newer version would wait for the item.
    const deadLetters = chosen.filter(({ kind }) => kind !== "newer");
    newer += chosen.length - deadLetters.length;
    selected += deadLetters.length;
    if (dryRun || deadLetters.length === 0) {
      deleted += deadLetters.length;
      return;
    }
    await backup?.(deadLetters.map(({ receiptHandle: _, ...deadLetter }) => deadLetter));
    await recordDeaths(ledger, deadLetters);
    const ids = deadLetters.map(({ id }) => id);
    const left = await scan.remove(ids);
    options.onGone?.(ids.filter((id) => !left.has(id)));
    leftBehind += left.size;
    deleted += deadLetters.length - left.size;
    onDeleted?.(deleted);
  });
  return { ...result, selected, deleted, leftBehind, newer };
}

/**
 * Records the deaths that are not recorded yet: those of items whose messages SQS itself moved. A consumer has recorded
 * all other deaths.
 */
async function recordDeaths(ledger: Ledger, deadLetters: readonly HeldDeadLetter[]): Promise<void> {
  const raw = deadLetters.filter((deadLetter) => hasItemAddress(deadLetter)).filter(({ kind }) => kind === "raw");
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
