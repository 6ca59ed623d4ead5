import type { ObjectStore, StoredObject } from "../aws/object-store.ts";
import { BlockSuccesses, type PlaceInBlock, type StoredSuccesses } from "../ledger/block-successes.ts";
import type { BlockAddress } from "../messages/item-address.ts";
import { BlockRows, type BlockRowsLimits } from "./block-rows.ts";
import { Columns } from "./csv-columns.ts";
import { type BlockRecord, type Part, parseBlockRecord } from "./manifest.ts";
import { blockRecordKey, pagesOfRawKey, partKey, progressKey, rawPrefix, replacedKey } from "./object-keys.ts";
import { PART_BYTES, writePart } from "./part-writer.ts";

/** A block whose raw objects are compacted. */
export interface BlockToCompact {
  readonly store: ObjectStore;
  readonly successes: BlockSuccesses;
  /** The latest block record. Absent: this is the first compaction of the block. */
  readonly before: BlockRecord | undefined;
  /** Whether the fields of the results are needed, for CSV. */
  readonly needsColumns: boolean;
  /** Returns a text that no other writer returns. */
  readonly newId: () => string;
  /** Whether the time of the slice is over. It is asked between two parts. */
  readonly isOver: () => boolean;
  readonly limits?: BlockRowsLimits | undefined;
  readonly partBytes?: number | undefined;
}

/** How the compaction of a block has ended: with a record, or with the key of its progress when the time was over. */
export type BlockEnd =
  | { readonly tag: "compacted"; readonly record: BlockRecord }
  | { readonly tag: "time"; readonly progress: string };

/** How far the compaction of a block has come. All slices use the same page rows and the same listing. */
interface Progress {
  readonly id: string;
  readonly revision: number;
  readonly successes: StoredSuccesses;
  readonly objects: readonly StoredObject[];
  readonly open: readonly string[];
  readonly parts: readonly Part[];
  readonly last: PlaceInBlock;
  readonly columns: readonly string[];
}

/**
 * Writes the results of a block as parts, and then its block record.
 *
 * The list of the raw objects that the record replaces is written before the record. A raw object is in the list only if none
 * of its rows can count later. Two producers that compact the same block write different keys. The one whose record is
 * second deletes its own objects.
 *
 * @param progressFrom The key of the progress of an earlier slice. If it does not exist, the compaction begins again.
 */
export async function compactBlock(block: BlockToCompact, progressFrom: string | undefined): Promise<BlockEnd> {
  const found = progressFrom === undefined ? undefined : await block.store.get(progressFrom);
  const progress = found === undefined ? undefined : (JSON.parse(Buffer.from(found).toString()) as Progress);
  return await new BlockCompaction(block, progress).run(progress === undefined ? undefined : progressFrom);
}

class BlockCompaction {
  readonly #block: BlockToCompact;
  readonly #address: BlockAddress;
  readonly #id: string;
  readonly #revision: number;
  readonly #successes: BlockSuccesses;
  readonly #objects: readonly StoredObject[] | undefined;
  readonly #parts: Part[];
  readonly #open: Set<string>;
  readonly #columns: Columns | undefined;
  #last: PlaceInBlock | undefined;

  constructor(block: BlockToCompact, progress: Progress | undefined) {
    const { address } = block.successes;
    this.#block = block;
    this.#address = address;
    this.#id = progress?.id ?? block.newId();
    this.#revision = progress?.revision ?? (block.before?.revision ?? 0) + 1;
    this.#successes = progress === undefined ? block.successes : BlockSuccesses.fromStored(address, progress.successes);
    this.#objects = progress?.objects;
    this.#parts = [...(progress?.parts ?? [])];
    this.#open = new Set(progress?.open);
    this.#columns = block.needsColumns ? new Columns(progress?.columns ?? block.before?.columns ?? []) : undefined;
    this.#last = progress?.last;
  }

  async run(progressKeyBefore: string | undefined): Promise<BlockEnd> {
    const { store, before, isOver } = this.#block;
    // The page rows were read before, so every item that is done has its row in an object of this listing.
    const objects = this.#objects ?? (await listAll(store, rawPrefix(this.#address)));
    const rows = new BlockRows({
      store,
      successes: this.#successes,
      objects: inOnePage(objects),
      after: this.#last,
      ...(before !== undefined && { parts: before.parts.map(({ key }) => key) }),
      ...(this.#block.limits !== undefined && { limits: this.#block.limits }),
    });
    const batches = rows.batches();
    try {
      for (;;) {
        const key = partKey(this.#address, this.#parts.length, this.#revision, this.#id);
        const written = await writePart(store, key, batches, this.#columns, this.#block.partBytes ?? PART_BYTES);
        if (written === undefined) break;
        this.#parts.push(written.part);
        this.#last = written.last;
        if (isOver()) return { tag: "time", progress: await this.#saveProgress(objects, rows.open) };
      }
    } finally {
      await batches.return();
    }
    for (const key of rows.open) this.#open.add(key);
    const record = await this.#record(objects);
    if (progressKeyBefore !== undefined) await store.delete([progressKeyBefore]);
    return { tag: "compacted", record };
  }

  async #saveProgress(objects: readonly StoredObject[], open: readonly string[]): Promise<string> {
    const key = progressKey(this.#address, this.#revision, this.#id);
    const progress: Progress = {
      id: this.#id,
      revision: this.#revision,
      successes: this.#successes.toStored(),
      objects,
      open: [...this.#open.union(new Set(open))],
      parts: this.#parts,
      last: this.#last ?? { page: 0, index: 0 },
      columns: this.#columns?.names ?? [],
    };
    await this.#block.store.put(key, Buffer.from(JSON.stringify(progress)));
    return key;
  }

  async #record(objects: readonly StoredObject[]): Promise<BlockRecord> {
    const { store } = this.#block;
    const { partition, block } = this.#address;
    const replaced = replacedKey(this.#address, this.#revision, this.#id);
    const rows = this.#parts.reduce((sum, part) => sum + part.rows, 0);
    const record: BlockRecord = {
      sluice: 1,
      partition,
      block,
      revision: this.#revision,
      rows,
      missing: this.#successes.count - rows,
      ...(this.#columns !== undefined && { columns: this.#columns.names }),
      parts: this.#parts,
      id: this.#id,
      replaced,
    };
    const closed = objects.map(({ key }) => key).filter((key) => pagesOfRawKey(key) && !this.#open.has(key));
    await store.put(replaced, Buffer.from(closed.join("\n")));
    const key = blockRecordKey(this.#address, this.#revision);
    if (await store.putIfAbsent(key, Buffer.from(JSON.stringify(record)))) return record;
    const winner = parseBlockRecord(Buffer.from((await store.get(key)) ?? "").toString());
    // The answer to this producer's own write was lost.
    if (winner.id === record.id) return record;
    await store.delete([replaced, ...this.#parts.map((part) => part.key)]);
    return winner;
  }
}

async function listAll(store: ObjectStore, prefix: string): Promise<readonly StoredObject[]> {
  const all: StoredObject[] = [];
  for await (const page of store.list(prefix)) all.push(...page);
  return all;
}

async function* inOnePage(objects: readonly StoredObject[]): AsyncGenerator<readonly StoredObject[]> {
  yield objects;
}
