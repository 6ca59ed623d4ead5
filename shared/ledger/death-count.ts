import type { Key, LedgerStore, Row } from "../aws/table.ts";
import { beyondTolerance, deathsLeft, type Tolerance } from "../definition/tolerance.ts";
import { pageKey } from "../messages/item-address.ts";
import { presentTotals, readPageRow } from "./page-row.ts";
import { productionOfPartitions } from "./partition-production.ts";
import { countRun } from "./run-counts.ts";
import type { RunRecord } from "./run-record.ts";

/** Two checks of a run begin at least this long after each other. */
const SHORTEST_INTERVAL_MILLISECONDS = 1_000;

/**
 * A death leads to a check if the latest check is this old, even if too few deaths are counted. A consumer may have crashed
 * between recording a death and counting it, and an earlier version of Sluice counts none.
 */
const LONGEST_INTERVAL_MILLISECONDS = 60_000;

/** How often one worker checks again at once because items died during its check. */
const MOST_REPEATED_CHECKS = 10;

/** A check that takes longer has probably ended with its process, and another worker may check. */
const CHECK_MILLISECONDS = 30_000;

/** How many pages a producer may have opened after its checkpoint: the one that it sends, and the next one. */
const PAGES_AHEAD = 2;

/** The number of runs whose tolerance is remembered. */
const MOST_RUNS = 100;

/** The key of the row that counts the deaths of a run with `toleratedFailures`. */
export const deathsKey = (run: string): Key => ({ pk: `run#${run}`, sk: "deaths" });

/** What followed a death. */
export type DeathVerdict =
  /** The run tolerates any number of deaths. No later death can stop it. */
  | { readonly tag: "not limited" }
  | { readonly tag: "continues" }
  /** A check is needed, but another worker makes one, or made one a moment ago. This worker must ask again. */
  | { readonly tag: "due" }
  /** More items have died than are tolerated. `failure` says so. */
  | { readonly tag: "beyond"; readonly failure: string };

/** `again`: this worker has checked, and items have died in the meantime that it may not have counted. */
type CheckVerdict = DeathVerdict | { readonly tag: "again" };

/** The row, which all workers share. Times are in milliseconds since 1970. */
interface Tally {
  /** Deaths that were counted: as many as were recorded or more, because a count may be repeated. */
  readonly deaths: number;
  /** With fewer deaths than this, the run cannot be beyond its tolerance. `undefined` before the first check. */
  readonly checkAt: number | undefined;
  /** When the latest check began, or minus infinity before the first one. */
  readonly checkedAt: number;
  /** A worker checks until then at the latest. `undefined` if none does. */
  readonly checkingUntil: number | undefined;
}

/**
 * Finds out whether more items of a run have died than it tolerates, without reading the run's pages each time.
 *
 * The decision needs exact counts, and these need all open pages of the run. So each check also computes how many more
 * items must die before the decision can be another one (`deathsLeft`). Successes only put this off. Workers count deaths
 * in one row of the run, each after the death is recorded. The next check is made when this number is reached, by one
 * worker: the row says that it checks.
 */
export class DeathCount {
  readonly #store: LedgerStore;
  readonly #now: () => number;
  readonly #find: (run: string) => Promise<RunRecord | undefined>;
  readonly #tolerances = new Map<string, Tolerance | undefined>();

  constructor(store: LedgerStore, now: () => number, find: (run: string) => Promise<RunRecord | undefined>) {
    this.#store = store;
    this.#now = now;
    this.#find = find;
  }

  /**
   * Counts deaths, and checks the run if they may be too many.
   *
   * @param deaths Deaths that are recorded. With 0, the run is checked if a check is due.
   * @param soon Whether this worker will not ask again. Then it checks even if the latest check was made a moment ago. It
   * also checks again if items died during its check: another worker that noted such a death may have ended, because it
   * left the check to this one.
   */
  async note(run: string, deaths: number, { soon = false } = {}): Promise<DeathVerdict> {
    let verdict = await this.#noteOnce(run, deaths, soon);
    for (let checks = 0; soon && verdict.tag === "again" && checks < MOST_REPEATED_CHECKS; checks++) {
      verdict = await this.#noteOnce(run, 0, soon);
    }
    return verdict.tag === "again" ? { tag: "due" } : verdict;
  }

  async #noteOnce(run: string, deaths: number, soon: boolean): Promise<CheckVerdict> {
    const tolerance = await this.#toleranceOf(run);
    if (tolerance === undefined) return { tag: "not limited" };
    const key = deathsKey(run);
    const counted = deaths > 0 ? await this.#store.update(key, { increase: { deaths } }) : await this.#store.get(key);
    if (counted === undefined) return { tag: "continues" };
    const tally = readTally(counted);
    const now = this.#now();
    const isReached = tally.checkAt === undefined || tally.deaths >= tally.checkAt;
    if (!isReached && now - tally.checkedAt < LONGEST_INTERVAL_MILLISECONDS) return { tag: "continues" };
    const isRecent = !soon && Math.abs(now - tally.checkedAt) < SHORTEST_INTERVAL_MILLISECONDS;
    if (isRecent || (tally.checkingUntil ?? 0) > now) return { tag: "due" };
    const { checkingUntil } = tally;
    const begun = await this.#store.update(key, {
      set: { checkingUntil: now + CHECK_MILLISECONDS },
      when: [checkingUntil === undefined ? { absent: "checkingUntil" } : { equals: ["checkingUntil", checkingUntil] }],
    });
    return begun === undefined ? { tag: "due" } : await this.#check(run, tolerance, readTally(begun), now);
  }

  async #toleranceOf(run: string): Promise<Tolerance | undefined> {
    if (this.#tolerances.has(run)) return this.#tolerances.get(run);
    const found = await this.#find(run);
    if (this.#tolerances.size >= MOST_RUNS) this.#tolerances.clear();
    if (found !== undefined) this.#tolerances.set(run, found.tolerance);
    return found?.tolerance;
  }

  /** @param begun The row when this check began. All deaths that it counts were recorded before. */
  async #check(id: string, tolerance: Tolerance, begun: Tally, now: number): Promise<CheckVerdict> {
    let checkAt: number | undefined;
    try {
      const run = await this.#find(id);
      // The worker that stopped the run may have crashed before it told the producer.
      if (run?.status === "failing") return { tag: "beyond", failure: String(run.failure) };
      if (run?.status !== "running") return { tag: "continues" };
      const [{ produced, pending, dead }, ahead] = await Promise.all([
        countRun(this.#store, run),
        this.#deadAhead(run),
      ]);
      const settled = produced - pending;
      const failure = beyondTolerance(tolerance, { dead, settled });
      if (failure !== undefined) return { tag: "beyond", failure };
      // Deaths of pages that no checkpoint has passed count from the checkpoint on, without another death.
      checkAt = begun.deaths + deathsLeft(tolerance, { dead: dead + ahead, settled: settled + ahead });
    } finally {
      await this.#end(id, now, checkAt);
    }
    const { deaths } = readTally((await this.#store.get(deathsKey(id))) ?? {});
    return { tag: deaths >= checkAt ? "again" : "continues" };
  }

  async #end(run: string, checkedAt: number, checkAt: number | undefined): Promise<void> {
    await this.#store.update(deathsKey(run), { set: { checkedAt, checkAt }, remove: ["checkingUntil"] });
  }

  async #deadAhead(run: RunRecord): Promise<number> {
    const { id, checkpoint } = run;
    const places =
      run.lanes === undefined
        ? [{ partition: 0, pages: checkpoint.pages }]
        : (await productionOfPartitions(this.#store, run)).open;
    const keys = places.flatMap(({ partition, pages }) =>
      Array.from({ length: PAGES_AHEAD }, (_, offset) => pageKey({ run: id, partition, page: pages + offset })),
    );
    const rows = await this.#store.getMany(keys);
    return [...rows.values()].reduce((sum, row) => sum + presentTotals(readPageRow(row)).dead, 0);
  }
}

const readTally = (row: Row): Tally => ({
  deaths: Number(row.deaths ?? 0),
  checkAt: row.checkAt as number | undefined,
  checkedAt: Number(row.checkedAt ?? Number.NEGATIVE_INFINITY),
  checkingUntil: row.checkingUntil as number | undefined,
});
