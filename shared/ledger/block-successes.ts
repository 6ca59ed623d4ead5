import { MOST_BATCH_GET_KEYS } from "../aws/quotas.ts";
import { keyText, type LedgerStore } from "../aws/table.ts";
import { batchesOf } from "../base/batches.ts";
import { SluiceError } from "../base/errors.ts";
import { ITEMS_PER_PAGE } from "../base/items-per-page.ts";
import { type BlockAddress, pageKey } from "../messages/item-address.ts";
import { PAGES_PER_BLOCK } from "./keys.ts";
import { entriesOfSuccesses } from "./page-row.ts";

/**
 * What the row of a result says about it.
 *
 * - `counts`: the item is done, and this is the generation that counts.
 * - `never counts`: the row belongs to an earlier epoch, to another generation than the one that counts, or to a generation
 *   that died or was cancelled.
 * - `open`: the generation has not settled, so the row may count later.
 */
export type RowVerdict = "counts" | "never counts" | "open";

/** A place in a block. `page` is counted in the block. */
export interface PlaceInBlock {
  readonly page: number;
  readonly index: number;
}

/** `BlockSuccesses` as JSON. */
export interface StoredSuccesses {
  readonly generations: string;
  readonly epochs: string;
  readonly lost: readonly number[];
}

const ENTRIES_PER_PAGE = 1_000_000;

/**
 * Which items of a block are done, and in which generation, as the page rows said when they were read. It takes about
 * 200 KB for each block.
 */
export class BlockSuccesses {
  readonly address: BlockAddress;
  readonly pages: number;
  /** For each item, 1 + the generation that counts, or 0. */
  readonly #generations: Uint8Array;
  readonly #epochs: Uint32Array;
  /** Entries whose success can never count, as `page × 10⁶ + entry`. */
  readonly #lost: ReadonlySet<number>;

  private constructor(address: BlockAddress, generations: Uint8Array, epochs: Uint32Array, lost: ReadonlySet<number>) {
    this.address = address;
    this.pages = epochs.length;
    this.#generations = generations;
    this.#epochs = epochs;
    this.#lost = lost;
  }

  /**
   * Reads the page rows of a block.
   *
   * @param pages How many pages the block has.
   * @throws {SluiceError} `RESULTS_INCOMPLETE`: the row of a page does not exist any more, so nobody knows which of its items
   *   are done.
   */
  static async read(store: LedgerStore, address: BlockAddress, pages: number): Promise<BlockSuccesses> {
    const { run, partition, block } = address;
    const generations = new Uint8Array(pages * ITEMS_PER_PAGE);
    const epochs = new Uint32Array(pages);
    const lost = new Set<number>();
    const keyOf = (page: number) => pageKey({ run, partition, page: block * PAGES_PER_BLOCK + page });
    for (const some of batchesOf([...epochs.keys()], MOST_BATCH_GET_KEYS)) {
      const rows = await store.getMany(some.map(keyOf));
      for (const page of some) {
        const row = rows.get(keyText(keyOf(page)));
        if (row === undefined) {
          throw new SluiceError(
            "RESULTS_INCOMPLETE",
            `the ledger has no row of page ${block * PAGES_PER_BLOCK + page} of run ${run}, so nobody knows which of its items ` +
              "succeeded. Rows expire 400 days after their last write. The manifests of the run, if it has some, are complete",
            { ids: { run, page: block * PAGES_PER_BLOCK + page } },
          );
        }
        epochs[page] = Number(row.epoch);
        const successes = entriesOfSuccesses(row);
        for (const { index, generation } of successes.counting) {
          const place = page * ITEMS_PER_PAGE + index;
          generations[place] = Math.min(generations[place] || Number.POSITIVE_INFINITY, generation + 1);
        }
        for (const entry of successes.lost) lost.add(page * ENTRIES_PER_PAGE + entry);
      }
    }
    return new BlockSuccesses(address, generations, epochs, lost);
  }

  static fromStored(address: BlockAddress, { generations, epochs, lost }: StoredSuccesses): BlockSuccesses {
    const bytes = Buffer.from(epochs, "base64");
    return new BlockSuccesses(
      address,
      Uint8Array.from(Buffer.from(generations, "base64")),
      Uint32Array.from({ length: bytes.length / 4 }, (_, page) => bytes.readUInt32LE(4 * page)),
      new Set(lost),
    );
  }

  toStored(): StoredSuccesses {
    const epochs = Buffer.alloc(4 * this.pages);
    for (const [page, epoch] of this.#epochs.entries()) epochs.writeUInt32LE(epoch, 4 * page);
    return {
      generations: Buffer.from(this.#generations).toString("base64"),
      epochs: epochs.toString("base64"),
      lost: [...this.#lost],
    };
  }

  /** How many items of the block are done. */
  get count(): number {
    let count = 0;
    for (const generation of this.#generations) if (generation > 0) count++;
    return count;
  }

  /** Judges a row. `page` is counted in the block. */
  judge({ page, index, epoch, generation }: PlaceInBlock & { epoch: number; generation: number }): RowVerdict {
    // Epochs begin with 1. The source may end before this page, or a producer may open the page after this was read.
    const current = this.#epochs[page] ?? 0;
    if (epoch > current) return "open";
    if (epoch < current) return "never counts";
    const counting = this.#generations[page * ITEMS_PER_PAGE + index] ?? 0;
    if (counting > 0) return counting === generation + 1 ? "counts" : "never counts";
    return this.#lost.has(page * ENTRIES_PER_PAGE + generation * 1_000 + index) ? "never counts" : "open";
  }
}
