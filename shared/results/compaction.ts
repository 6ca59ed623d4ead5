import type { ObjectStore } from "../aws/object-store.ts";
import type { LedgerStore } from "../aws/table.ts";
import { completeBlocksOf } from "../ledger/block-groups.ts";
import { readBlockRow } from "../ledger/block-row.ts";
import { BlockSuccesses } from "../ledger/block-successes.ts";
import { blocksOf, type RunBlock } from "../ledger/run-blocks.ts";
import type { RunRecord, RunResults } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import { type BlockAddress, blockKey } from "../messages/item-address.ts";
import { type BlockEnd, compactBlock } from "./block-compaction.ts";
import { blockText, latestRevisions, readBlockRecord, readBlockRecords } from "./block-records.ts";
import type { BlockRowsLimits } from "./block-rows.ts";
import { cleanUp } from "./clean-up.ts";
import { CsvRows } from "./csv-columns.ts";
import { CsvParts } from "./csv-parts.ts";
import { type BlockRecord, type Manifest, type Part, parseManifest } from "./manifest.ts";
import { manifestKey, readBlockKey } from "./object-keys.ts";

/** What the compaction of a run needs. */
export interface CompactionOptions {
  readonly store: ObjectStore;
  readonly ledgerStore: LedgerStore;
  readonly runs: Runs;
  readonly now: () => number;
  /** Returns a text that no other writer returns. */
  readonly newId: () => string;
  /** Whether the time of the slice is over. */
  readonly isOver: () => boolean;
  readonly limits?: BlockRowsLimits | undefined;
  readonly partBytes?: number | undefined;
}

/**
 * How a slice of a compaction has ended.
 *
 * - `done`: nothing is left to do at this moment.
 * - `time`: the time is over. `progress` is the key of the progress of a block that is not finished.
 */
export type CompactionEnd =
  | { readonly tag: "done"; readonly compactedBlocks: number }
  | { readonly tag: "time"; readonly progress?: string | undefined };

const UP_TO_DATE = { tag: "up to date" } as const;

type RunWithResults = RunRecord & { readonly results: RunResults };

/**
 * Compacts the results of a run: the complete blocks become parts, and a run that has ended gets a manifest. It finds out
 * what is left to do from the ledger and the store, so it can be interrupted at any place and called again at any time.
 * See `docs/internals/results.md`.
 *
 * @param progress The key of the progress that the slice before has returned.
 */
export async function compactRun(
  run: RunWithResults,
  progress: string | undefined,
  options: CompactionOptions,
): Promise<CompactionEnd> {
  return await new Compaction(run, options).run(progress);
}

/** Whether `compactRun` would find something to do. It writes nothing. */
export async function isOutdated(
  run: RunWithResults,
  { store, ledgerStore }: Pick<CompactionOptions, "store" | "ledgerStore">,
): Promise<boolean> {
  if (run.completedAt !== undefined && run.results.manifest === undefined) return true;
  if (run.completedAt === undefined)
    return (await completeBlocksOf(ledgerStore, run)).size > run.results.compactedBlocks;
  if (!run.redriven) return false;
  const latest = await latestRevisions(store, run.id);
  for (const address of await blocksOf(ledgerStore, run)) {
    const key = latest.get(blockText(address));
    if (key === undefined) return true;
    const row = readBlockRow((await ledgerStore.get(blockKey(address))) ?? {}, address.block);
    if (!row.redriven) continue;
    const { rows, missing } = await readBlockRecord(store, key);
    const successes = await BlockSuccesses.read(ledgerStore, address, address.pages);
    if (successes.count > rows + missing) return true;
  }
  return false;
}

/** The blocks that can be compacted: all blocks of a run that has ended, or else the complete ones of partition 0. */
async function finalBlocks(store: LedgerStore, run: RunRecord): Promise<readonly RunBlock[]> {
  const blocks = await blocksOf(store, run);
  if (run.completedAt !== undefined) return blocks;
  // The results of a run with partitions are compacted at its end.
  if (run.lanes !== undefined) return [];
  const complete = await completeBlocksOf(store, run);
  return blocks.filter(({ block }) => complete.has(block));
}

class Compaction {
  readonly #run: RunWithResults;
  readonly #options: CompactionOptions;

  constructor(run: RunWithResults, options: CompactionOptions) {
    this.#run = run;
    this.#options = options;
  }

  async run(progress: string | undefined): Promise<CompactionEnd> {
    const { isOver } = this.#options;
    const hasEnded = this.#run.completedAt !== undefined;
    const blocks = await finalBlocks(this.#options.ledgerStore, this.#run);
    const latest = await latestRevisions(this.#options.store, this.#run.id);
    for (const address of blocks) {
      const end = await this.#compact(address, latest.get(blockText(address)), progress);
      if (end.tag === "time") return end;
      if (end.tag === "compacted" && isOver()) return { tag: "time" };
    }
    if (hasEnded) {
      // mutant: manifest-before-deletions
      const manifest = await this.#manifest();
      if (manifest === undefined) return { tag: "time" };
      if (!(await cleanUp(this.#options.store, this.#run.id, manifest, isOver))) return { tag: "time" };
    }
    return { tag: "done", compactedBlocks: blocks.length };
  }

  /** Compacts a block, if it has no block record, or if more of its items are done than the record has. */
  async #compact(
    address: RunBlock,
    recordKey: string | undefined,
    progress: string | undefined,
  ): Promise<BlockEnd | { readonly tag: "up to date" }> {
    const { store, ledgerStore } = this.#options;
    if (recordKey !== undefined && !this.#run.redriven) return UP_TO_DATE;
    const row = readBlockRow((await ledgerStore.get(blockKey(address))) ?? {}, address.block);
    if (recordKey !== undefined && !row.redriven) return UP_TO_DATE;
    const before = recordKey === undefined ? undefined : await readBlockRecord(store, recordKey);
    // The page rows are read before the raw objects are listed: see `BlockRows`.
    const successes = await BlockSuccesses.read(ledgerStore, address, address.pages);
    if (before !== undefined && successes.count === before.rows + before.missing) return UP_TO_DATE;
    return await compactBlock(
      { ...this.#options, successes, before, needsColumns: this.#run.results.format === "csv" },
      progress !== undefined && isOfBlock(progress, address) ? progress : undefined,
    );
  }

  /** Writes the next manifest, if the latest one does not name the latest block records. `undefined`: the time is over. */
  async #manifest(): Promise<Manifest | undefined> {
    const { store, runs, now, newId } = this.#options;
    const { id: run, workflow, status, results } = this.#run;
    for (let version = results.manifest ?? 0; ; version++) {
      const stored = version === 0 ? undefined : await this.#read(version);
      // The block records are listed after the manifest was read, so none of them is older than the one that the manifest
      // names. If another producer writes the next manifest in between, the write below fails, and both are read again.
      const records = await this.#records();
      if (stored !== undefined && isOf(stored, records)) {
        if (results.manifest !== version) await runs.results.setManifest(run, version);
        return stored;
      }
      if (version > 0 && stored === undefined && version !== results.manifest) {
        throw new Error(`manifest ${version} of run ${run} has disappeared`);
      }
      const blocks = await this.#blocks(records, version + 1, stored);
      if (blocks === undefined) return undefined;
      const manifest: Manifest = {
        sluice: 1,
        id: newId(),
        workflow,
        run,
        status,
        version: version + 1,
        createdAt: new Date(now()).toISOString(),
        format: results.format,
        include: results.include,
        rows: sum(records, ({ rows }) => rows),
        missing: sum(records, ({ missing }) => missing),
        ...(results.format === "csv" && { header: new CsvRows(results.include, columnsOf(records)).header }),
        blocks,
      };
      // The next round reads it. If another producer was first, it may name other block records.
      await store.putIfAbsent(manifestKey(run, version + 1), Buffer.from(JSON.stringify(manifest)));
    }
  }

  /** The latest block record of each block. */
  async #records(): Promise<readonly BlockRecord[]> {
    const { store } = this.#options;
    const keys = [...(await latestRevisions(store, this.#run.id)).values()];
    const records: BlockRecord[] = [];
    for await (const record of readBlockRecords(store, keys)) records.push(record);
    return records;
  }

  async #read(version: number): Promise<Manifest | undefined> {
    const body = await this.#options.store.get(manifestKey(this.#run.id, version));
    return body === undefined ? undefined : parseManifest(Buffer.from(body).toString());
  }

  /** The blocks of the manifest, after all their parts are written as CSV, too. `undefined`: the time is over. */
  async #blocks(
    records: readonly BlockRecord[],
    version: number,
    before: Manifest | undefined,
  ): Promise<Manifest["blocks"] | undefined> {
    const { format, include } = this.#run.results;
    const csvParts =
      format === "csv"
        ? await CsvParts.open(
            this.#options.store,
            this.#run.id,
            version,
            { include, columns: columnsOf(records) },
            before,
          )
        : undefined;
    const blocks: Manifest["blocks"][number][] = [];
    for (const { sluice: _, id: __, replaced: ___, ...block } of records) {
      if (csvParts === undefined) {
        blocks.push(block);
        continue;
      }
      const parts: Part[] = [];
      for (const part of block.parts) {
        const { csv, isNew } = await csvParts.of(part);
        parts.push({ ...part, csv });
        if (isNew && this.#options.isOver()) return undefined;
      }
      blocks.push({ ...block, parts });
    }
    return blocks;
  }
}

/** Whether a manifest names these block records. */
function isOf({ blocks }: Manifest, records: readonly BlockRecord[]): boolean {
  const revisions = new Map(blocks.map((block) => [blockText(block), block.revision]));
  return (
    blocks.length === records.length && records.every((record) => revisions.get(blockText(record)) === record.revision)
  );
}

const sum = (records: readonly BlockRecord[], of: (record: BlockRecord) => number): number =>
  records.reduce((total, record) => total + of(record), 0);

/** The columns of all blocks, in the order of their first appearance. */
const columnsOf = (records: readonly BlockRecord[]): readonly string[] => [
  ...new Set(records.flatMap(({ columns }) => columns ?? [])),
];

const isOfBlock = (key: string, address: BlockAddress): boolean => {
  const found = readBlockKey(key);
  return found !== undefined && blockText(found) === blockText(address);
};
