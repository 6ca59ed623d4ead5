import type { ObjectStore } from "../aws/object-store.ts";
import { SluiceError, toError } from "../base/errors.ts";
import type { TaskLogger } from "../base/task.ts";
import { blockAddressOf, PAGES_PER_BLOCK } from "../ledger/keys.ts";
import type { BlockAddress, PageAddress } from "../messages/item-address.ts";
import { rawKey } from "./object-keys.ts";
import { encodeRow, type ResultRow } from "./result-row.ts";

/** With so many bytes of results that are not stored, they are stored at once. */
export const MOST_UNSTORED_BYTES = 4 * 1_024 * 1_024;

/** Results could not be stored, so their items do not count as done. The code is `RESULTS_NOT_STORED`. */
export class ResultsNotStoredError extends SluiceError {
  override readonly name = "ResultsNotStoredError";

  constructor(cause: unknown) {
    super("RESULTS_NOT_STORED", `the results could not be stored: ${toError(cause).message}`, { cause });
  }
}

/** A result that waits to be stored. */
export interface PendingResult {
  readonly page: PageAddress;
  /** The row. Empty once the write has begun. */
  line: string;
  readonly bytes: number;
  /** The write that stores the row. Absent: no write has begun, or the latest one failed. */
  stored?: Promise<void> | undefined;
}

/** The options of `ResultWriter`. */
export interface ResultWriterOptions {
  readonly store: Pick<ObjectStore, "put">;
  readonly logger: TaskLogger;
  /** Returns a text that no other writer returns, of letters, digits and `-`. */
  readonly newId: () => string;
}

/**
 * Writes results as raw objects, before the ledger records their items as done. The results of a block that are due are
 * written together with those that wait, so there are few objects. See `docs/internals/results.md`.
 */
export class ResultWriter {
  readonly #options: ResultWriterOptions;
  #unstoredBytes = 0;

  constructor(options: ResultWriterOptions) {
    this.#options = options;
  }

  /** The bytes of the results for which no write has begun. */
  get unstoredBytes(): number {
    return this.#unstoredBytes;
  }

  /** Adds a result. It is stored when `store` is called for it, or for another one of its block. */
  add(page: PageAddress, row: Omit<ResultRow, "page">): PendingResult {
    const line = encodeRow({ ...row, page: page.page });
    const bytes = Buffer.byteLength(line);
    this.#unstoredBytes += bytes;
    return { page, line, bytes };
  }

  /**
   * Begins to store results, one object for each block. Each of them then has a promise in `stored`.
   *
   * @param due The results that must be stored now. If a write has begun for all of them, no write begins.
   * @param waiting Results that will be due later. Those of the same blocks are stored in the same objects.
   */
  store(due: readonly PendingResult[], waiting: readonly PendingResult[]): void {
    const blocks = new Map<string, { readonly address: BlockAddress; readonly results: PendingResult[] }>();
    for (const result of due) {
      if (result.stored !== undefined) continue;
      const address = blockAddressOf(result.page);
      const key = keyOf(address);
      const block = blocks.get(key);
      if (block === undefined) blocks.set(key, { address, results: [result] });
      else block.results.push(result);
    }
    if (blocks.size === 0) return;
    for (const result of waiting) {
      if (result.stored === undefined) blocks.get(keyOf(blockAddressOf(result.page)))?.results.push(result);
    }
    for (const { address, results } of blocks.values()) this.#write(address, results);
  }

  #write(address: BlockAddress, results: readonly PendingResult[]): void {
    const { store, newId, logger } = this.#options;
    const pages = results.map(({ page }) => page.page % PAGES_PER_BLOCK);
    const key = rawKey(address, { first: Math.min(...pages), last: Math.max(...pages) }, newId());
    const body = Buffer.from(results.map(({ line }) => line).join(""));
    for (const { bytes } of results) this.#unstoredBytes -= bytes;
    const stored = store.put(key, body).then(
      () => {
        // A result can be large, and its item may still wait to be recorded.
        for (const result of results) result.line = "";
      },
      (cause) => {
        for (const result of results) {
          // A later write stores the results of items that are still waiting.
          result.stored = undefined;
          this.#unstoredBytes += result.bytes;
        }
        const error = new ResultsNotStoredError(cause);
        logger.error("results could not be stored, so their items come back to the queue and are attempted again", {
          error,
          items: results.length,
        });
        throw error;
      },
    );
    for (const result of results) result.stored = stored;
    // Nobody may be waiting for this write yet.
    stored.catch(() => {});
  }

  /**
   * Resolves when the results are stored, after `store` was called for them.
   *
   * @throws {ResultsNotStoredError} They are not. The writer forgets them, and the caller must not record their items.
   */
  async whenStored(results: readonly PendingResult[]): Promise<void> {
    // A write that fails later than another one adds its bytes again, so all of them are awaited.
    const ends = await Promise.allSettled(new Set(results.map((result) => result.stored)));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed === undefined) return;
    for (const { stored, bytes } of results) if (stored === undefined) this.#unstoredBytes -= bytes;
    throw failed.reason;
  }
}

const keyOf = ({ run, partition, block }: BlockAddress): string => `${run}|${partition}|${block}`;
