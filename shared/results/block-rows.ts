import { ObjectMissingError, type ObjectStore, type StoredObject } from "../aws/object-store.ts";
import { ITEMS_PER_PAGE } from "../base/items-per-page.ts";
import type { BlockSuccesses, PlaceInBlock } from "../ledger/block-successes.ts";
import { PAGES_PER_BLOCK } from "../ledger/keys.ts";
import { pagesOfRawKey } from "./object-keys.ts";
import { PartRows } from "./part-rows.ts";
import { prefetch } from "./prefetch.ts";
import { partRowHead, readRowHead } from "./result-row.ts";

/** How much memory `BlockRows` uses. */
export interface BlockRowsLimits {
  /** The bytes of the rows that wait for their turn. Of the rows beyond them, only the places are kept. */
  readonly heldBytes: number;
  /** How many objects are read at the same time, and their bytes. */
  readonly reads: number;
  readonly readBytes: number;
  /** The bytes of a batch, except for the last one. */
  readonly batchBytes: number;
}

export const DEFAULT_LIMITS: BlockRowsLimits = {
  heldBytes: 64 * 1_024 * 1_024,
  reads: 32,
  readBytes: 16 * 1_024 * 1_024,
  batchBytes: 256 * 1_024,
};

/** Some rows of a block, in the order of the source, as lines of a part. */
export interface RowBatch {
  readonly lines: readonly Buffer[];
  readonly rows: number;
  readonly bytes: number;
  /** The place of the last row. */
  readonly last: PlaceInBlock;
}

export interface BlockRowsOptions {
  readonly store: Pick<ObjectStore, "get" | "getRange" | "stream">;
  /** Which items are done. It must have been read before the listing began. */
  readonly successes: BlockSuccesses;
  /** The raw objects of the block, in the order of their keys. */
  readonly objects: AsyncIterable<readonly StoredObject[]>;
  /** The keys of the block's parts in an earlier revision. Their rows stay as they are. */
  readonly parts?: readonly string[];
  /** Only rows after this place are yielded. */
  readonly after?: PlaceInBlock | undefined;
  readonly limits?: BlockRowsLimits;
}

/** A row that waits for its turn: its bytes, or where they are. */
type HeldRow =
  | { readonly tag: "bytes"; readonly rest: Buffer; readonly place: RowPlace }
  | { readonly tag: "place"; readonly place: RowPlace };

/** Where the rest of a row, after its head, is in an object. */
interface RowPlace {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

const NEWLINE = 10;

/**
 * Reads the results of one block in the order of the source, in bounded memory: exactly one row for each item that is
 * done. Call `batches` once.
 *
 * The keys of the raw objects sort by the first page of the object. So when an object begins after a page, no row of the
 * page can follow, and the page's rows are complete.
 */
export class BlockRows {
  readonly #options: BlockRowsOptions;
  readonly #limits: BlockRowsLimits;
  readonly #firstPage: number;
  readonly #held = new Map<number, (HeldRow | undefined)[]>();
  readonly #parts: PartRows;
  readonly #open: string[] = [];
  #heldBytes = 0;

  constructor(options: BlockRowsOptions) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#firstPage = options.successes.address.block * PAGES_PER_BLOCK;
    this.#parts = new PartRows(options.store, options.parts ?? []);
  }

  /** The keys of raw objects with rows that are not in the result and may count later. */
  get open(): readonly string[] {
    return this.#open;
  }

  /**
   * Yields the rows.
   *
   * @throws {ObjectMissingError} An object was deleted after the listing: a manifest replaces it.
   */
  async *batches(): AsyncGenerator<RowBatch, void, undefined> {
    const { store, objects, after, successes } = this.#options;
    const read = async ({ key }: StoredObject): Promise<Buffer> => {
      const body = await store.get(key);
      if (body === undefined) throw new ObjectMissingError("the store", key);
      return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    };
    const limits = { reads: this.#limits.reads, bytes: this.#limits.readBytes };
    let nextPage = after?.page ?? 0;
    const batch = new Batch();
    try {
      for await (const { thing, content } of prefetch(this.#relevant(objects), read, ({ size }) => size, limits)) {
        const { first } = pagesOfRawKey(thing.key) ?? { first: 0 };
        for (; nextPage < Math.min(first, successes.pages); nextPage++) yield* this.#page(nextPage, batch);
        this.#take(thing.key, content);
      }
      for (; nextPage < successes.pages; nextPage++) yield* this.#page(nextPage, batch);
      const rest = batch.take();
      if (rest !== undefined) yield rest;
    } finally {
      await this.#parts.close();
    }
  }

  /** Leaves out objects all of whose rows were yielded before. */
  async *#relevant(objects: AsyncIterable<readonly StoredObject[]>): AsyncGenerator<readonly StoredObject[]> {
    const from = this.#options.after?.page ?? 0;
    for await (const page of objects) {
      yield page.filter(({ key }) => {
        const pages = pagesOfRawKey(key);
        return pages !== undefined && pages.last >= from;
      });
    }
  }

  /** Takes the rows that count from an object. */
  #take(key: string, body: Buffer): void {
    const { successes, after } = this.#options;
    const taken: { readonly held: (HeldRow | undefined)[]; readonly index: number; readonly row: HeldRow }[] = [];
    let isOpen = false;
    let takenBytes = 0;
    for (let start = 0; start < body.length; ) {
      const end = body.indexOf(NEWLINE, start) + 1;
      if (end === 0) throw new Error(`the last row of ${key} has no end`);
      const { page: absolute, index, epoch, generation, length } = readRowHead(body, start);
      const page = absolute - this.#firstPage;
      const verdict = successes.judge({ page, index, epoch, generation });
      if (verdict === "open") isOpen = true;
      if (verdict === "counts" && isAfter({ page, index }, after)) {
        const held = this.#held.get(page) ?? [];
        this.#held.set(page, held);
        // Objects come in the order of their keys, so the first row that is seen has the lowest key.
        if (held[index] === undefined) {
          const from = start + length;
          const row = { tag: "bytes", rest: body.subarray(from, end), place: { key, start: from, end } } as const;
          held[index] = row;
          taken.push({ held, index, row });
          takenBytes += end - from;
        }
      }
      start = end;
    }
    if (isOpen) this.#open.push(key);
    this.#heldBytes += takenBytes;
    // A slice of a large object would keep all of it in memory.
    if (takenBytes < body.length / 2) {
      for (const { held, index, row } of taken) {
        if (row.tag === "bytes") held[index] = { ...row, rest: Buffer.from(row.rest) };
      }
    }
    if (this.#heldBytes > this.#limits.heldBytes) this.#dropBytes();
  }

  /** Keeps only the places of the rows whose turn is latest, until half of the memory is free. */
  #dropBytes(): void {
    for (const page of [...this.#held.keys()].sort((a, b) => b - a)) {
      const held = this.#held.get(page) ?? [];
      for (const [index, row] of held.entries()) {
        if (row?.tag !== "bytes") continue;
        this.#heldBytes -= row.rest.length;
        held[index] = { tag: "place", place: row.place };
      }
      if (this.#heldBytes <= this.#limits.heldBytes / 2) return;
    }
  }

  /** Adds the rows of a page to the batch, and yields the batch when it is large enough. */
  async *#page(page: number, batch: Batch): AsyncGenerator<RowBatch, void, undefined> {
    const { after } = this.#options;
    const held = this.#held.get(page) ?? [];
    this.#held.delete(page);
    for (let index = 0; index < ITEMS_PER_PAGE; index++) {
      const row = held[index];
      if (row?.tag === "bytes") this.#heldBytes -= row.rest.length;
      // Rows of an earlier revision stay.
      const earlier = await this.#rowOfPart(page, index);
      if (!isAfter({ page, index }, after)) continue;
      if (earlier !== undefined) batch.add(earlier, { page, index });
      else if (row !== undefined) batch.add(await this.#line(page, index, row), { page, index });
      const full = batch.bytes < this.#limits.batchBytes ? undefined : batch.take();
      if (full !== undefined) yield full;
    }
  }

  async #rowOfPart(page: number, index: number): Promise<Buffer | undefined> {
    if (this.#options.parts === undefined) return undefined;
    let next = await this.#parts.peek();
    // Rows of pages that were yielded before.
    for (; next !== undefined && next.page < page; next = await this.#parts.peek()) await this.#parts.take();
    if (next === undefined || next.page !== page || next.index !== index) return undefined;
    await this.#parts.take();
    return next.line;
  }

  async #line(page: number, index: number, row: HeldRow): Promise<Buffer> {
    const { run, partition } = this.#options.successes.address;
    const head = Buffer.from(partRowHead({ run, partition, page: this.#firstPage + page, index }));
    if (row.tag === "bytes") return Buffer.concat([head, row.rest]);
    const { key, start, end } = row.place;
    const rest = await this.#options.store.getRange(key, start, end);
    if (rest === undefined) throw new ObjectMissingError("the store", key);
    return Buffer.concat([head, rest]);
  }
}

/** Collects rows. */
class Batch {
  #lines: Buffer[] = [];
  #last: PlaceInBlock = { page: 0, index: 0 };
  bytes = 0;

  add(line: Buffer, { page, index }: PlaceInBlock): void {
    this.#lines.push(line);
    this.#last = { page, index };
    this.bytes += line.length;
  }

  take(): RowBatch | undefined {
    const lines = this.#lines;
    if (lines.length === 0) return undefined;
    const batch = { lines, rows: lines.length, bytes: this.bytes, last: this.#last };
    this.#lines = [];
    this.bytes = 0;
    return batch;
  }
}

const isAfter = (place: PlaceInBlock, after: PlaceInBlock | undefined): boolean =>
  after === undefined || place.page > after.page || (place.page === after.page && place.index > after.index);
