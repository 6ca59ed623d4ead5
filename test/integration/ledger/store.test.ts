import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Condition, Key, LedgerStore, Update } from "../../../shared/aws/table.ts";
import { type LedgerTable, openLedgerTable } from "../../helpers/ledger-table.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

const SETS = ["done", "dead: too large", "size"];
const NUMBERS = ["epoch", "failure 0.1"];
const STRINGS = ["status", "set"];
const FLAGS = ["ended"];
const SUMS = ["throttled", "load"];

const set = fc.constantFrom(...SETS);
const member = fc.integer({ min: -2, max: 5 });
const members = fc.array(member, { maxLength: 4 });
const number = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer({ min: -(10 ** 12), max: 10 ** 12 }).map((thousandths) => thousandths / 1_000),
);
// Not the empty one, of which dynalite says that it is IN no list.
const compared = fc.constantFrom("running", "failed", "🙂 é");
const record = (keys: readonly string[], value: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 2 });

const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ absent: fc.constantFrom(...SETS, ...NUMBERS, ...STRINGS, ...FLAGS, "totals") }),
  fc.record({ equals: fc.tuple(fc.constantFrom(...NUMBERS), fc.integer({ min: -3, max: 3 })) }),
  fc.record({ equals: fc.tuple(fc.constantFrom(...STRINGS), compared) }),
  fc.record({ equals: fc.tuple(fc.constantFrom(...FLAGS), fc.boolean()) }),
  fc.record({ oneOf: fc.tuple(fc.constantFrom(...STRINGS), fc.array(compared, { minLength: 1, maxLength: 3 })) }),
  fc.record({ atMost: fc.tuple(fc.constantFrom(...NUMBERS), number) }),
  fc.record({ lacks: fc.tuple(set, member) }),
);

// DynamoDB refuses an update that changes an attribute twice.
const update: fc.Arbitrary<Update> = fc
  .record({
    set: fc
      .tuple(
        record(NUMBERS, fc.option(number, { nil: undefined })),
        record(STRINGS, fc.oneof(compared, fc.constant(""))),
        record(FLAGS, fc.boolean()),
        record(["totals"], fc.jsonValue({ maxDepth: 2, noUnicodeString: false }).map(withoutExtremes)),
      )
      .map((parts) => Object.assign({}, ...parts) as NonNullable<Update["set"]>),
    changes: fc.dictionary(set, fc.record({ kind: fc.constantFrom("add", "remove"), members })),
    // Quarters add up without rounding, in binary and in decimal numbers.
    increase: record(
      SUMS,
      fc.integer({ min: -100, max: 10 ** 9 }).map((quarters) => quarters / 4),
    ),
    removed: fc.uniqueArray(fc.constantFrom(...NUMBERS, ...STRINGS), { maxLength: 2 }),
    when: fc.array(condition, { maxLength: 3 }),
  })
  .map(({ set, changes, increase, removed, when }) => {
    const of = (kind: string) => Object.entries(changes).filter(([, change]) => change.kind === kind);
    const sets = (kind: string) => Object.fromEntries(of(kind).map(([name, change]) => [name, change.members]));
    const remove = [...of("remove").map(([name]) => name), ...removed.filter((name) => !(name in set))];
    return { set, add: sets("add"), increase: increase as Record<string, number>, remove, when };
  });

// DynamoDB's numbers have 38 digits and no negative zero; `marshall` sets no attribute of the name `__proto__`, and no
// row of the ledger has one that is not the ledger's own.
function withoutExtremes(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, each) => {
      if (key === "__proto__") return undefined;
      return typeof each === "number" ? Math.trunc(each) % 1_000_000 || 0 : each;
    }),
  );
}

describe("The store in memory does what DynamoDB does", () => {
  let table: LedgerTable;
  beforeAll(async () => {
    table = await openLedgerTable();
  });
  afterAll(() => table.close());

  let cases = 0;
  const bothStores = () => {
    const partition = `case-${cases++}`;
    const keyOf = (row: number): Key => ({ pk: partition, sk: `row ${row}` });
    return { stores: [table.store, new MemoryStore()] as const, partition, keyOf };
  };

  test("whatever is updated, and under whatever condition", async () => {
    const steps = fc.array(fc.record({ row: fc.nat({ max: 1 }), update }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(steps, async (updates) => {
        const { stores, partition, keyOf } = bothStores();
        const [dynamoDb, memory] = stores;
        for (const { row, update } of updates) {
          const key = keyOf(row);
          expect(await memory.update(key, update)).toEqual(await dynamoDb.update(key, update));
        }
        const read = async (store: LedgerStore) => ({
          one: await store.get(keyOf(0)),
          many: new Map([...(await store.getMany([0, 1, 2].map(keyOf)))].sort()),
          newest: await store.newest(partition, 2),
        });
        expect(await read(memory)).toEqual(await read(dynamoDb));
      }),
      { numRuns: 60 },
    );
  });

  test("more rows than one request gives are all found, a key that is asked for twice once", async () => {
    const { stores, partition } = bothStores();
    for (const store of stores) {
      const keys = Array.from({ length: 101 }, (_, row) => ({ pk: `${partition}-${row}`, sk: "row" }));
      await Promise.all(keys.map((key, row) => store.update(key, { set: { row } })));
      const found = await store.getMany([...keys, ...keys.slice(0, 3), { pk: partition, sk: "missing" }]);
      expect([...found.values()].map(({ row }) => Number(row)).sort((a, b) => a - b)).toEqual([...keys.keys()]);
    }
  });

  test("the newest rows come first, no more than asked for, and of one partition alone", async () => {
    const { stores, partition, keyOf } = bothStores();
    for (const store of stores) {
      for (const row of [2, 0, 3, 1]) await store.update(keyOf(row), { set: { row } });
      await store.update({ pk: `${partition}-other`, sk: "row 9" }, { set: { row: 9 } });
      expect((await store.newest(partition, 3)).map(({ row }) => row)).toEqual([3, 2, 1]);
      expect((await store.newest(partition, 9)).map(({ row }) => row)).toEqual([3, 2, 1, 0]);
      const { sk } = keyOf(2);
      expect((await store.newest(partition, 9, sk)).map(({ row }) => row)).toEqual([1, 0]);
      expect((await store.newest(partition, 1, sk)).map(({ row }) => row)).toEqual([1]);
      expect(await store.newest(partition, 9, keyOf(0).sk)).toEqual([]);
    }
  });

  test("what was read is a copy", async () => {
    const { stores, keyOf } = bothStores();
    for (const store of stores) {
      const key = keyOf(0);
      const row = await store.update(key, { add: { done: [1] }, set: { totals: { dead: 0 } } });
      const done = row?.done;
      if (!(done instanceof Set)) expect.fail("no set was returned");
      done.add(2);
      expect(await store.get(key)).toMatchObject({ done: new Set([1]), totals: { dead: 0 } });
    }
  });

  test("a row that does not exist lacks and equals nothing", async () => {
    const { stores, keyOf } = bothStores();
    for (const store of stores) {
      const refused: Condition[] = [
        { equals: ["epoch", 1] },
        { atMost: ["hop", 9] },
        { oneOf: ["status", ["running"]] },
      ];
      for (const each of refused) expect(await store.update(keyOf(0), { set: { a: 1 }, when: [each] })).toBeUndefined();
      expect(await store.get(keyOf(0))).toBeUndefined();
      const when: Condition[] = [{ absent: "epoch" }, { lacks: ["done", 0] }];
      expect(await store.update(keyOf(0), { set: { a: 1 }, when })).toMatchObject({ a: 1 });
    }
  });
});
