import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LedgerStore } from "../../../shared/aws/table.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { type Bounds, scenarios } from "../../helpers/ledger-scenarios.ts";
import { type LedgerTable, openLedgerTable } from "../../helpers/ledger-table.ts";
import { LedgerWorld, type Scenario } from "../../helpers/ledger-world.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

const KINDS: readonly { readonly name: string; readonly bounds: Bounds; readonly effort: number }[] = [
  { name: "processes that die between any two steps", bounds: { duplicates: false }, effort: 1 },
  { name: "messages that come twice", bounds: {}, effort: 2 },
  { name: "dead letters that are redriven", bounds: { redrives: 4 }, effort: 2 },
  { name: "a run that is cancelled", bounds: { cancels: true }, effort: 1 },
  { name: "a run that is cancelled and redriven", bounds: { cancels: true, redrives: 4 }, effort: 1 },
];

// Runs on one table are told apart by their ids.
let runs = 0;
const holds = (storeOf: () => LedgerStore, bounds: Bounds, numRuns: number) =>
  fc.assert(
    fc.asyncProperty(scenarios(bounds), async (scenario) => {
      await new LedgerWorld(storeOf(), `run-${runs++}`, scenario).work();
    }),
    { numRuns },
  );

describe("A run ends once with exact counts, in memory, despite", () => {
  test.for(KINDS)("$name", ({ bounds, effort }) => holds(() => new MemoryStore(), bounds, 400 * effort));

  test("a page that crosses a block's boundary", () =>
    holds(
      () => new MemoryStore(),
      { pages: 4, itemsPerPage: 1, redrives: 2, pagesBefore: fc.integer({ min: 997, max: 999 }) },
      60,
    ));
});

describe("A run ends once with exact counts, on DynamoDB, despite", () => {
  let table: LedgerTable;
  beforeAll(async () => {
    table = await openLedgerTable();
  });
  afterAll(() => table.close());

  test.for(KINDS)("$name", ({ bounds, effort }) =>
    holds(() => table.store, { ...bounds, pages: 2, choices: 120 }, 5 * effort),
  );
});

describe("A run of", () => {
  const quiet = { choices: [], faultPercent: 0, duplicates: false, redrives: 0, cancelledAfter: undefined };
  const work = (sizes: readonly number[], endsEmpty: boolean, more: Partial<Scenario> = {}) => {
    const pages = sizes.map((size, salt) => ({ size, salt, invalid: [] }));
    return new LedgerWorld(new MemoryStore(), "run", {
      ...quiet,
      versions: [{ pages, endsEmpty }],
      pagesBefore: 0,
      ...more,
    }).work();
  };

  test.for([
    { of: "an empty source", sizes: [] },
    { of: "one item", sizes: [1] },
    { of: "exactly a full page", sizes: [200] },
    { of: "an item more than a page", sizes: [200, 1] },
  ])("$of ends, with an empty page at the source's end or without", async ({ sizes }) => {
    const succeeded = sizes.reduce((a, b) => a + b, 0);
    const counts = { produced: succeeded, succeeded, dead: 0, cancelled: 0, retried: 0, pending: 0, deadByReason: {} };
    expect(await work(sizes, true)).toEqual(counts);
    expect(await work(sizes, false)).toEqual(counts);
  });

  test.for([999, 1_000, 1_001])("%i pages ends, with an empty page at the source's end or without", async (pages) => {
    const sizes = Array.from({ length: pages - 998 }, () => 1);
    for (const endsEmpty of [true, false]) {
      const counts = await work(sizes, endsEmpty, { pagesBefore: 998 });
      expect(counts).toMatchObject({ produced: pages, succeeded: pages, pending: 0 });
    }
  });

  test("1,001 pages, each of them written and settled, ends", async () => {
    const store = new MemoryStore();
    const ledger = new Ledger(store);
    const { runs } = ledger;
    let run = await runs.create({ id: "run", workflow: "simulated", requestedAt: "2026-11-22T08:15:30.000Z" });
    for (let page = 0; page < 1_001; page++) {
      await ledger.pages.open({ run: "run", partition: 0, page }, { size: 1, digest: "" });
      const items = [{ index: 0, failures: page === 1_000 ? 1 : 0, redriveGeneration: 0 }];
      await ledger.outcomes.recordSuccesses({ run: "run", partition: 0, page, epoch: 1, items });
      expect(run.status).toBe("running");
      const next = { cursor: page, skip: 0, pages: page + 1, items: page + 1, ended: page === 1_000 };
      run = (await runs.progress.checkpoint(run, next)) ?? expect.fail("superseded");
    }
    run = await runs.get("run");
    expect(run.status).toBe("completed");
    expect(await runs.counts(run)).toMatchObject({ produced: 1_001, succeeded: 1_001, retried: 1 });
  });
});
