import { createHash } from "node:crypto";
import { ObjectMissingError, type ObjectStore } from "../aws/object-store.ts";
import type { LedgerStore } from "../aws/table.ts";
import { SluiceError } from "../base/errors.ts";
import { readBlockRow } from "../ledger/block-row.ts";
import { BlockSuccesses, type PlaceInBlock } from "../ledger/block-successes.ts";
import { PAGES_PER_BLOCK } from "../ledger/keys.ts";
import { blocksOf } from "../ledger/run-blocks.ts";
import type { RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import { type BlockAddress, blockKey } from "../messages/item-address.ts";
import { blockText } from "./block-records.ts";
import { BlockRows, type BlockRowsLimits } from "./block-rows.ts";
import { type Manifest, type Part, parseManifest } from "./manifest.ts";
import { manifestKey, manifestPrefix, rawPrefix, versionOfManifestKey } from "./object-keys.ts";
import { readPartRowHead } from "./result-row.ts";

/** Some rows of a result set. */
export interface ResultLines {
  /** Whole lines, each with its newline. */
  readonly lines: Uint8Array;
  readonly rows: number;
}

/** The results of a run at one moment. */
export interface ResultSet {
  readonly store: ObjectStore;
  /** The run. Absent if its rows in the ledger have expired. */
  readonly run?: RunRecord | undefined;
  /** The latest manifest. Absent while the run works, and until its compaction has ended. */
  readonly manifest?: Manifest | undefined;
  /** How many rows `lines` will probably yield. While the run works, there can be more. */
  readonly expectedRows: number;
  /**
   * Reads the rows as JSONL, in the order of the source, in bounded memory. It can be called several times. While the run
   * works, each block is read as it is at that moment.
   *
   * @throws {SluiceError} `RESULTS_INCOMPLETE`: a row of the ledger or an object is missing. If results are missing, all
   *   others are yielded before. `RESULTS_DAMAGED`: an object does not have its checksum.
   */
  lines(): AsyncIterable<ResultLines>;
}

/** Where results are read from. */
export interface ResultsSource {
  readonly store: ObjectStore;
  readonly ledgerStore: LedgerStore;
  readonly runs: Pick<Runs, "find" | "counts">;
  readonly limits?: BlockRowsLimits | undefined;
}

/** How often a reader begins again because what it reads was replaced. */
const MOST_RESTARTS = 20;

/**
 * Finds the results of a run.
 *
 * @throws {SluiceError} `UNKNOWN_RUN`: there is no such run, and no manifest of it. `NO_RESULTS`: the run keeps no results.
 * @example
 * const results = await openResultSet({ store, ledgerStore, runs }, run);
 * for await (const { lines } of results.lines()) process.stdout.write(lines);
 */
export async function openResultSet(source: ResultsSource, run: string): Promise<ResultSet> {
  const { store, runs } = source;
  const { record, manifest } = await find(source, run);
  const expectedRows = manifest !== undefined && record?.redriven !== true ? manifest.rows : undefined;
  return {
    store,
    run: record,
    manifest,
    expectedRows: expectedRows ?? (record === undefined ? 0 : (await runs.counts(record)).succeeded),
    lines: () => readLines(source, run),
  };
}

async function find(
  { store, runs }: ResultsSource,
  run: string,
): Promise<{ readonly record: RunRecord | undefined; readonly manifest: Manifest | undefined }> {
  const record = await runs.find(run);
  if (record !== undefined && record.results === undefined) {
    throw new SluiceError(
      "NO_RESULTS",
      `run ${run} keeps no results: its workflow was defined without the option results when the run began`,
      { ids: { run } },
    );
  }
  const version = record === undefined ? await latestManifest(store, run) : record.results?.manifest;
  if (version === undefined) {
    if (record !== undefined) return { record, manifest: undefined };
    throw new SluiceError("UNKNOWN_RUN", `there is no run ${run}`, { ids: { run } });
  }
  const body = await store.get(manifestKey(run, version));
  if (body === undefined) throw new ObjectMissingError(store.url, manifestKey(run, version));
  return { record, manifest: parseManifest(Buffer.from(body).toString()) };
}

async function latestManifest(store: ObjectStore, run: string): Promise<number | undefined> {
  let latest: number | undefined;
  for await (const page of store.list(manifestPrefix(run))) {
    for (const { key } of page) {
      const version = versionOfManifestKey(key);
      if (version !== undefined) latest = Math.max(latest ?? 0, version);
    }
  }
  return latest;
}

async function* readLines(source: ResultsSource, run: string): AsyncGenerator<ResultLines, void, undefined> {
  const reader = new Reader(source, run);
  for (let restarts = 0; ; restarts++) {
    try {
      yield* reader.read();
      break;
    } catch (error) {
      // A compaction has replaced the objects since they were listed or named. The reader continues after its latest row.
      if (!(error instanceof ObjectMissingError) || restarts === MOST_RESTARTS) throw error;
    }
  }
  if (reader.missing > 0) {
    throw new SluiceError(
      "RESULTS_INCOMPLETE",
      `${reader.missing} items of run ${run} succeeded, and their results do not exist in ${source.store.url}: somebody has ` +
        "deleted objects",
      { ids: { run } },
    );
  }
}

/** Reads the rows of a run, and knows how far it has come. */
class Reader {
  readonly #source: ResultsSource;
  readonly #run: string;
  /** The block that is being read, the last of its rows that was yielded, and how many were. */
  #block: BlockNumbers | undefined;
  #last: PlaceInBlock | undefined;
  #rowsOfBlock = 0;
  /** By `blockText`. */
  readonly #missing = new Map<string, number>();

  constructor(source: ResultsSource, run: string) {
    this.#source = source;
    this.#run = run;
  }

  /** How many items of the blocks that were read have no result. */
  get missing(): number {
    return [...this.#missing.values()].reduce((sum, missing) => sum + missing, 0);
  }

  async *read(): AsyncGenerator<ResultLines, void, undefined> {
    const { record, manifest } = await find(this.#source, this.#run);
    for (const block of await this.#blocks(record, manifest)) {
      const order = this.#block === undefined ? 1 : compareBlocks(block, this.#block);
      // The reader has begun again, and has read this block before.
      if (order < 0) continue;
      if (order > 0) {
        this.#rowsOfBlock = 0;
        this.#last = undefined;
      }
      this.#block = block;
      yield* this.#readBlock(block, record);
    }
  }

  /** The blocks of the run in the order of the source. Those of a manifest need no row of the ledger. */
  async #blocks(record: RunRecord | undefined, manifest: Manifest | undefined): Promise<readonly BlockToRead[]> {
    const { ledgerStore } = this.#source;
    if (manifest === undefined) return record === undefined ? [] : await blocksOf(ledgerStore, record);
    return manifest.blocks.map((compacted) => {
      const { partition, block } = compacted;
      return { run: this.#run, partition, block, compacted };
    });
  }

  async *#readBlock(
    { compacted, pages, ...address }: BlockToRead,
    record: RunRecord | undefined,
  ): AsyncGenerator<ResultLines, void, undefined> {
    const { store, limits } = this.#source;
    const successes = await this.#successes(address, record, { compacted, pages });
    if (
      compacted !== undefined &&
      (successes === undefined || successes.count === compacted.rows + compacted.missing)
    ) {
      for (const part of compacted.parts) yield* this.#readPart(part);
      this.#missing.set(blockText(address), compacted.missing);
      return;
    }
    if (successes === undefined) return;
    const rows = new BlockRows({
      store,
      successes,
      objects: store.list(rawPrefix(address)),
      after: this.#last,
      ...(compacted !== undefined && { parts: compacted.parts.map(({ key }) => key) }),
      ...(limits !== undefined && { limits }),
    });
    for await (const { lines, rows: count, last } of rows.batches()) {
      this.#note(last, count);
      yield { lines: Buffer.concat(lines), rows: count };
    }
    this.#missing.set(blockText(address), successes.count - this.#rowsOfBlock);
  }

  /** What is done in a block. `undefined`: the manifest has all of it. */
  async #successes(
    address: BlockAddress,
    record: RunRecord | undefined,
    { compacted, pages }: Pick<BlockToRead, "compacted" | "pages">,
  ): Promise<BlockSuccesses | undefined> {
    const { ledgerStore } = this.#source;
    if (record === undefined) return undefined;
    if (compacted !== undefined) {
      if (!record.redriven) return undefined;
      const row = readBlockRow((await ledgerStore.get(blockKey(address))) ?? {}, address.block);
      if (!row.redriven) return undefined;
    }
    return await BlockSuccesses.read(ledgerStore, address, pages ?? (await pagesOfBlock(ledgerStore, record, address)));
  }

  async *#readPart({ key, sha256 }: Part): AsyncGenerator<ResultLines, void, undefined> {
    const { store } = this.#source;
    const hash = createHash("sha256");
    let rest: Buffer[] = [];
    for await (const chunk of store.stream(key)) {
      hash.update(chunk);
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (end === 0) {
        rest.push(bytes);
        continue;
      }
      const lines = rest.length === 0 ? bytes.subarray(0, end) : Buffer.concat([...rest, bytes.subarray(0, end)]);
      rest = end < bytes.length ? [bytes.subarray(end)] : [];
      const fresh = this.#after(lines);
      if (fresh.length === 0) continue;
      const last = readPartRowHead(fresh, fresh.lastIndexOf(NEWLINE, fresh.length - 2) + 1);
      const rows = countLines(fresh);
      this.#note({ page: last.page % PAGES_PER_BLOCK, index: last.index }, rows);
      yield { lines: fresh, rows };
    }
    if (rest.length > 0 || hash.digest("hex") !== sha256) {
      throw new SluiceError(
        "RESULTS_DAMAGED",
        `${store.url}/${key} is damaged: it does not have the checksum of its manifest`,
        {
          ids: { run: this.#run },
        },
      );
    }
  }

  /** The lines that were not yielded before a restart. */
  #after(lines: Buffer): Buffer {
    const last = this.#last;
    if (last === undefined) return lines;
    const isOld = (start: number) => {
      const { page: absolute, index } = readPartRowHead(lines, start);
      const page = absolute % PAGES_PER_BLOCK;
      return page < last.page || (page === last.page && index <= last.index);
    };
    let start = 0;
    while (start < lines.length && isOld(start)) start = lines.indexOf(NEWLINE, start) + 1;
    return lines.subarray(start);
  }

  #note(last: PlaceInBlock, rows: number): void {
    this.#last = last;
    this.#rowsOfBlock += rows;
  }
}

/** A block, with what the manifest says about it, or with its number of pages. */
interface BlockToRead extends BlockAddress {
  readonly compacted?: Manifest["blocks"][number] | undefined;
  readonly pages?: number | undefined;
}

type BlockNumbers = Pick<BlockAddress, "partition" | "block">;

/** Negative if the first block comes before the second one in the source. */
const compareBlocks = (a: BlockNumbers, b: BlockNumbers): number => a.partition - b.partition || a.block - b.block;

async function pagesOfBlock(store: LedgerStore, run: RunRecord, address: BlockNumbers): Promise<number> {
  return (await blocksOf(store, run)).find((block) => compareBlocks(block, address) === 0)?.pages ?? 0;
}

const NEWLINE = 10;

function countLines(lines: Buffer): number {
  let count = 0;
  for (let end = lines.indexOf(NEWLINE); end >= 0; end = lines.indexOf(NEWLINE, end + 1)) count++;
  return count;
}
