import type { Key, LedgerStore, Row, Update } from "../../shared/aws/table.ts";
import type { Failure } from "../../shared/base/failure.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import type { Checkpoint, Counts, RunRecord } from "../../shared/ledger/run-record.ts";
import type { ItemAddress } from "../../shared/messages/item-address.ts";
import { MemoryStore } from "./memory-store.ts";

export const RUN = "run";
export const CREATED = { id: RUN, workflow: "cities", requestedAt: "2026-11-22T08:15:30.000Z" } as const;

export const FAILURE: Failure = {
  attempt: 1,
  at: "2026-11-22T08:15:31.000Z",
  durationMilliseconds: 1,
  kind: "threw",
  name: "Error",
  message: "not now",
};

/** A store whose process dies before the n-th write that is still to come. */
class MortalStore implements LedgerStore {
  readonly #store: LedgerStore;
  writesToLive = Number.POSITIVE_INFINITY;

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  get = (key: Key): Promise<Row | undefined> => this.#store.get(key);
  getMany = (keys: readonly Key[]): Promise<ReadonlyMap<string, Row>> => this.#store.getMany(keys);
  newest = (pk: string, limit: number, before?: string): Promise<readonly Row[]> =>
    this.#store.newest(pk, limit, before);

  async update(key: Key, update: Update): Promise<Row | undefined> {
    if (this.writesToLive-- <= 0) throw new Error("the process died");
    return await this.#store.update(key, update);
  }
}

/** A run in memory, and what its producer and consumers do to it, step by step. */
export class LedgerRig {
  readonly store = new MemoryStore();
  readonly #mortal = new MortalStore(this.store);
  readonly announcements: string[] = [];
  readonly #announce = async ({ run }: { run: string }) => void this.announcements.push(run);
  readonly ledger = new Ledger(this.#mortal, () => 0, this.#announce);
  readonly runs = this.ledger.runs;

  /** Does something in a process that dies before its write of this number, counted from 0. */
  async dyingAt<Result>(write: number, act: () => Promise<Result>): Promise<void> {
    this.#mortal.writesToLive = write;
    try {
      await act();
    } catch (error) {
      if ((error as Error).message === "the process died") return;
      throw error;
    } finally {
      this.#mortal.writesToLive = Number.POSITIVE_INFINITY;
    }
    throw new Error(`it was done before it could die at write ${write}`);
  }

  item(index: number, more: Partial<ItemAddress> = {}): ItemAddress {
    return { run: RUN, partition: 0, page: 0, index, epoch: 1, redriveGeneration: 0, ...more };
  }

  /** A run whose pages of these sizes were opened and checkpointed. */
  async produced(sizes: readonly number[], { ended = true }: { ended?: boolean } = {}): Promise<void> {
    let run = await this.runs.create(CREATED);
    for (const [page, size] of sizes.entries()) {
      await this.ledger.pages.open({ run: RUN, partition: 0, page }, { size, digest: "first" });
      run = await this.checkpointed(run, size, { ended: ended && page === sizes.length - 1 });
    }
  }

  /** The run after a checkpoint that moved it on by a page. */
  async checkpointed(run: RunRecord, size: number, more: Partial<Checkpoint> = {}): Promise<RunRecord> {
    const next = await this.runs.progress.checkpoint(run, this.after(run, size, more));
    if (next === undefined) throw new Error("superseded");
    return next;
  }

  after({ checkpoint }: RunRecord, size: number, more: Partial<Checkpoint> = {}): Omit<Checkpoint, "count"> {
    const { pages, items } = checkpoint;
    return { cursor: pages, skip: 0, pages: pages + (size > 0 ? 1 : 0), items: items + size, ended: false, ...more };
  }

  async succeed(item: ItemAddress, failures = 0): Promise<void> {
    await this.ledger.outcomes.recordSuccesses({ ...item, items: [{ ...item, failures }] });
  }

  /** An item that dies as it should: claimed, its dead letter sent, its death recorded. */
  async die(item: ItemAddress, retries = 0): Promise<void> {
    if (await this.ledger.outcomes.claimDeath(item)) await this.ledger.outcomes.recordDeath(item, "exhausted", retries);
  }

  async stateOf(item: ItemAddress): Promise<string> {
    const [state] = await this.ledger.itemStates([item]);
    return state?.tag ?? "unknown";
  }

  async counts(): Promise<Counts> {
    return await this.runs.counts(await this.runs.get(RUN));
  }

  async status(): Promise<string> {
    return (await this.runs.get(RUN)).status;
  }
}
