import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Key, LedgerStore, Row, Update } from "../../../shared/aws/table.ts";
import { lanesKey } from "../../../shared/ledger/keys.ts";
import { Lanes } from "../../../shared/ledger/lanes.ts";
import { isAtRest, type LanesRow, readLanesRow } from "../../../shared/ledger/lanes-row.ts";
import { checkPartitions } from "../../../shared/producer/partition-list.ts";
import type { Cursor, Partition } from "../../../shared/sources/source.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";
import { seeds } from "../../helpers/seeds.ts";

const RUN = "run";

/** A table whose operations take effect in the order that the scheduler chooses. */
class ScheduledStore implements LedgerStore {
  readonly #rows = new MemoryStore();
  readonly #scheduler: fc.Scheduler;
  /** Called with the row of the lanes after each write to it. */
  onLanes = (_: Row): void => {};

  constructor(scheduler: fc.Scheduler) {
    this.#scheduler = scheduler;
  }

  async get(key: Key): Promise<Row | undefined> {
    await this.#scheduler.schedule(Promise.resolve(), "get");
    return await this.#rows.get(key);
  }

  async getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>> {
    await this.#scheduler.schedule(Promise.resolve(), "get many");
    return await this.#rows.getMany(keys);
  }

  async update(key: Key, update: Update): Promise<Row | undefined> {
    await this.#scheduler.schedule(Promise.resolve(), "update");
    const row = await this.#rows.update(key, update);
    if (row !== undefined && key.sk === lanesKey(RUN).sk) this.onLanes(row);
    return row;
  }

  async newest(...query: Parameters<LedgerStore["newest"]>): Promise<readonly Row[]> {
    await this.#scheduler.schedule(Promise.resolve(), "newest");
    return await this.#rows.newest(...query);
  }
}

const numbered = (count: number, prefix = "") =>
  Array.from({ length: count }, (_, number) => ({ id: `${prefix}${number}` }));
const oneTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** What a person or an accident does while the lanes work. */
interface Round {
  readonly failing: ReadonlySet<number>;
  readonly stops: boolean;
}

/** The lanes of a run, and what they read. */
class World {
  readonly run;
  readonly lanes: Lanes;
  readonly #scheduler: fc.Scheduler;
  /** Which lanes have read each partition in this round. */
  reads = new Map<number, Set<number>>();
  /** The first partition that no lane had taken when the run was stopped. */
  nextAtStop: number | undefined;
  readonly violations: string[] = [];

  constructor(scheduler: fc.Scheduler, lanes: number) {
    this.#scheduler = scheduler;
    this.run = { id: RUN, lanes, limit: undefined };
    const store = new ScheduledStore(scheduler);
    this.lanes = new Lanes(store);
    store.onLanes = (row) => {
      const reading = readLanesRow(row, this.run).reading.filter((partition) => partition > 0);
      if (new Set(reading).size < reading.length) this.violations.push(`two lanes read ${reading.join()}`);
    };
  }

  /** Lets operations take effect, one at a time, until all of the work has ended. */
  async all<Result>(works: readonly Promise<Result>[]): Promise<readonly Result[]> {
    return await this.#scheduler.waitFor(Promise.all(works));
  }

  /** Two producers of each lane work at the same time: one of them was frozen, and continues. */
  async work(round: number, { failing, stops }: Round): Promise<LanesRow> {
    this.reads = new Map();
    const { lanes = 0 } = this.run;
    // Two producers begin the round. The lanes are started by the first of them, while the other one may be late.
    const begun = [this.lanes.beginRound(this.run, round), this.lanes.beginRound(this.run, round)];
    const isBegun = Promise.race(begun);
    const producers = Array.from({ length: 2 * lanes }, (_, number) =>
      isBegun.then(() => this.#read(number % lanes, round, failing)),
    );
    const stopped = stops ? [this.lanes.stop(this.run).then(({ next }) => this.#noteStop(next))] : [];
    await this.all<unknown>([...begun, ...producers, ...stopped]);
    const [row] = await this.all([this.lanes.read(this.run)]);
    if (row === undefined) throw new Error("no row");
    return row;
  }

  #noteStop(next: number): void {
    this.nextAtStop = next;
  }

  async #read(lane: number, round: number, failing: ReadonlySet<number>): Promise<void> {
    let row = await this.lanes.takeUp(this.run, lane, round * 10);
    while (row !== undefined) {
      const reading = row.reading[lane] ?? 0;
      if (reading > 0) this.reads.set(reading, (this.reads.get(reading) ?? new Set()).add(lane));
      row = await this.lanes.takeNext(this.run, lane, row, failing.has(reading) ? `${reading} is damaged` : undefined);
      if ((row.reading[lane] ?? 0) === 0) return;
    }
  }
}

const someOf = (count: number) => fc.uniqueArray(fc.integer({ min: 1, max: count })).map((all) => new Set(all));

describe("Lanes, in any order of the operations of all their producers,", () => {
  test("read each partition by one lane only, fail those that are damaged, and read them again in the next round", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 9 }).chain((count) => fc.tuple(fc.constant(count), someOf(count), someOf(count))),
        async (scheduler, lanes, [count, damaged, stillDamaged]) => {
          const world = new World(scheduler, lanes);
          await world.all([world.lanes.seal(world.run, numbered(count))]);
          const first = await world.work(1, { failing: damaged, stops: false });
          expect([...world.reads.keys()].toSorted((a, b) => a - b)).toEqual(oneTo(count));
          expect([...world.reads.values()].every((each) => each.size === 1)).toBe(true);
          expect(isAtRest(first)).toBe(true);
          expect(new Set(first.failed.keys())).toEqual(damaged);

          const failing = new Set([...damaged].filter((partition) => stillDamaged.has(partition)));
          const second = await world.work(2, { failing, stops: false });
          expect(new Set(world.reads.keys())).toEqual(damaged);
          expect([...world.reads.values()].every((each) => each.size === 1)).toBe(true);
          expect(isAtRest(second)).toBe(true);
          expect(new Set(second.failed.keys())).toEqual(failing);
          expect(world.violations).toEqual([]);
        },
      ),
      { numRuns: seeds(200) },
    );
  });

  test("take no further partition of the list once the run is stopped, and none is lost or taken twice", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 9 }),
        async (scheduler, lanes, count) => {
          const world = new World(scheduler, lanes);
          await world.all([world.lanes.seal(world.run, numbered(count))]);
          const row = await world.work(1, { failing: new Set(), stops: true });
          expect(row.stopped).toBe(true);
          expect(row.next).toBe(world.nextAtStop);
          expect(isAtRest(row)).toBe(true);
          expect([...world.reads.keys()].toSorted((a, b) => a - b)).toEqual(oneTo(row.next - 1));
          expect(world.violations).toEqual([]);
        },
      ),
      { numRuns: seeds(200) },
    );
  });

  test("have exactly one of the lists that several producers store at once, whole and unchanged", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.integer({ min: 1, max: 230 }), { minLength: 2, maxLength: 3 }),
        async (scheduler, sizes) => {
          const world = new World(scheduler, 2);
          const lists = sizes.map((size, list) => numbered(size, `${list} `));
          const seals = lists.map((list) => world.lanes.seal(world.run, list));
          // A lane may read the list as soon as one producer has sealed it.
          const early = Promise.race(seals).then(() => world.lanes.read(world.run));
          await world.all<unknown>([...seals, early]);
          const [row] = await world.all([world.lanes.read(world.run)]);
          if (row?.count === undefined) throw new Error("the list is not sealed");
          const { count } = row;
          expect(await early).toEqual(row);
          const stored = await world.all(oneTo(count).map((number) => world.lanes.partition(world.run, row, number)));
          const ids = stored.map(({ id }) => ({ id }));
          expect(lists).toContainEqual(ids);
        },
      ),
      { numRuns: seeds(60) },
    );
  });
});

/** A cursor as a source may return it, with bigints. */
const cursor = fc
  .letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.bigInt({ min: 2n ** 60n, max: 2n ** 80n }),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie("value"), { maxKeys: 3 }),
    ),
  }))
  .value.filter(
    (value) => JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}` : each)).length < 1_000,
  );

const partition = fc.record(
  { id: fc.string({ minLength: 1, maxLength: 200, unit: "grapheme-ascii" }), cursor: cursor as fc.Arbitrary<Cursor> },
  { requiredKeys: ["id"] },
);

describe("The list of partitions", () => {
  test("is stored and read with the ids and cursors that the source returned, whatever they are", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(partition, { minLength: 1, maxLength: 210, selector: ({ id }) => id }),
        async (list: readonly Partition[]) => {
          const checked = checkPartitions(list);
          expect(checked).toEqual(list);
          const lanes = new Lanes(new MemoryStore());
          const run = { id: RUN, lanes: 2, limit: undefined };
          await lanes.seal(run, checked);
          const row = await lanes.read(run);
          for (const [index, each] of list.entries())
            expect(await lanes.partition(run, row, index + 1)).toEqual({ ...each, number: index + 1 });
        },
      ),
      { numRuns: seeds(60) },
    );
  });

  test("is refused if two of its ids are equal, wherever they stand", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 50 }),
        fc.nat(),
        fc.nat(),
        (ids, copied, place) => {
          const twice = ids.toSpliced(place % (ids.length + 1), 0, ids[copied % ids.length] as string);
          expect(() => checkPartitions(twice.map((id) => ({ id })))).toThrow("two partitions with the id");
        },
      ),
      { numRuns: seeds(200) },
    );
  });
});
