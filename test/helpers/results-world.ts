import { ITEMS_PER_PAGE } from "../../shared/base/items-per-page.ts";
import type { ResultsSettings } from "../../shared/definition/results-options.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import { readPageRow } from "../../shared/ledger/page-row.ts";
import type { Announcement } from "../../shared/ledger/roll-up.ts";
import type { RunRecord, RunResults } from "../../shared/ledger/run-record.ts";
import { pageKey } from "../../shared/messages/item-address.ts";
import type { BlockRowsLimits } from "../../shared/results/block-rows.ts";
import { type CompactionEnd, compactRun, isOutdated } from "../../shared/results/compaction.ts";
import { openResultSet } from "../../shared/results/read-results.ts";
import { type PendingResult, ResultWriter } from "../../shared/results/result-writer.ts";
import type { StoreFault } from "./memory-object-store.ts";
import { MemoryObjectStore } from "./memory-object-store.ts";
import { MemoryStore } from "./memory-store.ts";
import { recordingLogger } from "./recording-metrics.ts";

export const RESULTS_RUN = "run-1";

/** An item of the run, in one of its redrive generations. */
export interface Entry {
  readonly page: number;
  readonly index: number;
  readonly generation: number;
}

/** One row of a result set. */
export interface SetRow {
  readonly id: string;
  readonly result: unknown;
}

/** A run with results in memory, whose source has ended: what consumers and producers do to its results. */
export class ResultsWorld {
  readonly objects = new MemoryObjectStore();
  readonly store = new MemoryStore();
  readonly announced: Announcement[] = [];
  readonly ledger = new Ledger(this.store, Date.now, async (announcement) => void this.announced.push(announcement));
  readonly pages: readonly number[];
  limits: BlockRowsLimits | undefined;
  partBytes: number | undefined;
  #ids = 0;
  #progress: string | undefined;

  private constructor(pages: readonly number[]) {
    this.pages = pages;
  }

  /** @param pages The number of items of each page. */
  static async of(pages: readonly number[], settings: ResultsSettings = { format: "jsonl", include: [] }) {
    const world = new ResultsWorld(pages);
    const run = await world.ledger.runs.create({
      id: RESULTS_RUN,
      workflow: "test",
      requestedAt: "2026-01-01T00:00:00.000Z",
      results: settings,
    });
    for (const [page, size] of pages.entries())
      await world.ledger.pages.open({ run: RESULTS_RUN, partition: 0, page }, { size, digest: `d${page}` });
    const items = pages.reduce((sum, size) => sum + size, 0);
    const end = { cursor: undefined, skip: 0, pages: pages.length, items, ended: true };
    await world.ledger.runs.progress.checkpoint(run, end);
    return world;
  }

  newId = (): string => `${String(this.#ids++).padStart(6, "0")}`;

  async run(): Promise<RunRecord & { readonly results: RunResults }> {
    const run = await this.ledger.runs.get(RESULTS_RUN);
    if (run.results === undefined) throw new Error("the run keeps no results");
    return { ...run, results: run.results };
  }

  /** Writes the results of entries as raw objects, as a consumer does before it records them. */
  async put(
    rows: readonly (Entry & { readonly result: unknown; readonly epoch?: number })[],
    id?: string,
  ): Promise<void> {
    const writer = new ResultWriter({
      store: this.objects,
      logger: recordingLogger(),
      newId: () => id ?? this.newId(),
    });
    const pending: PendingResult[] = rows.map(({ page, index, generation, result, epoch = 1 }) =>
      writer.add(
        { run: RESULTS_RUN, partition: 0, page },
        { epoch, index, generation, result: JSON.stringify(result) },
      ),
    );
    writer.store(pending, []);
    await writer.whenStored(pending);
  }

  /** Records an entry as done. A claimed death makes this throw. */
  async record({ page, index, generation }: Entry): Promise<void> {
    const items = [{ index, failures: 0, redriveGeneration: generation }];
    await this.ledger.outcomes.recordSuccesses({ run: RESULTS_RUN, partition: 0, page, epoch: 1, items });
  }

  /** Puts and records. The result names the entry. */
  async succeed(...entries: readonly Entry[]): Promise<void> {
    await this.put(entries.map((entry) => ({ ...entry, result: nameOf(entry) })));
    for (const entry of entries) await this.record(entry);
  }

  /** Returns whether the entry died. */
  async die({ page, index, generation }: Entry): Promise<boolean> {
    const item = { run: RESULTS_RUN, partition: 0, page, index, epoch: 1, redriveGeneration: generation };
    if (!(await this.ledger.outcomes.claimDeath(item))) return false;
    await this.ledger.outcomes.recordDeath(item, "exhausted", 0);
    return true;
  }

  async redrive({ page, index, generation }: Entry): Promise<void> {
    const items = [{ index, redriveGeneration: generation }];
    await this.ledger.outcomes.recordRedrives({ run: RESULTS_RUN, partition: 0, page, epoch: 1, items });
  }

  /** One slice of a compaction. It keeps the progress for the next slice, as the control message does. */
  async compact(isOver: () => boolean = () => false): Promise<CompactionEnd> {
    const end = await compactRun(await this.run(), this.#progress, {
      store: this.objects,
      ledgerStore: this.store,
      runs: this.ledger.runs,
      now: Date.now,
      newId: this.newId,
      isOver,
      limits: this.limits,
      partBytes: this.partBytes,
    });
    this.#progress = end.tag === "time" ? end.progress : undefined;
    return end;
  }

  async isOutdated(): Promise<boolean> {
    return await isOutdated(await this.run(), { store: this.objects, ledgerStore: this.store });
  }

  /** Reads the result set, as a person does. */
  async read(): Promise<readonly SetRow[]> {
    const { objects: store, store: ledgerStore, limits } = this;
    const set = await openResultSet({ store, ledgerStore, runs: this.ledger.runs, limits }, RESULTS_RUN);
    const rows: SetRow[] = [];
    for await (const { lines, rows: count } of set.lines()) {
      const parsed = Buffer.from(lines)
        .toString()
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as SetRow);
      if (parsed.length !== count) throw new Error(`${count} rows were announced, and ${parsed.length} came`);
      rows.push(...parsed);
    }
    return rows;
  }

  /** The ids of the items that are done, in the order of the source, from the page rows alone. */
  async doneIds(): Promise<readonly string[]> {
    const ids: string[] = [];
    for (const page of this.pages.keys()) {
      const row = await this.store.get(pageKey({ run: RESULTS_RUN, partition: 0, page }));
      const { done } = readPageRow(row ?? {});
      for (let index = 0; index < ITEMS_PER_PAGE; index++)
        if (done.has(index)) ids.push(`${RESULTS_RUN}/${page}/${index}`);
    }
    return ids;
  }

  /** Makes some of the following calls of the object store fail. */
  failCalls(faultOf: (call: number) => StoreFault): void {
    let call = 0;
    this.objects.onCall = () => faultOf(call++);
  }
}

export const nameOf = ({ page, index, generation }: Entry): string => `${page}/${index} in generation ${generation}`;
