import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LedgerStore } from "../../../shared/aws/table.ts";
import { ACTIVE_KEY } from "../../../shared/ledger/active-runs.ts";
import { runKey } from "../../../shared/ledger/keys.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import type { Runs } from "../../../shared/ledger/runs.ts";
import { inEveryOrder, inOneOrder, type OrderedActor } from "../../helpers/every-order.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

const at = (minute: number) => new Date(Date.UTC(2026, 10, 27, 8, minute)).toISOString();
const of = (id: string, minute = 0) => ({ id, workflow: "test", requestedAt: at(minute) });

const end = async (runs: Runs, id: string) => {
  const run = await runs.get(id);
  await runs.progress.checkpoint(run, { ...run.checkpoint, ended: true });
};

const idsOf = async (runs: Runs) => (await runs.active.list()).map(({ id }) => id);
const membersOf = async (store: LedgerStore) =>
  Object.keys((await store.get(ACTIVE_KEY)) ?? {})
    .filter((name) => name.startsWith("run "))
    .map((name) => name.slice(4));

/** A run as code wrote it that knew of no row of active runs. */
async function startedBefore(store: MemoryStore, run: ReturnType<typeof of>): Promise<void> {
  const other = new MemoryStore();
  await new Ledger(other).runs.create(run);
  const { pk, sk, ...row } = (await other.get(runKey(run.id))) ?? {};
  await store.update(runKey(run.id), { set: row as Record<string, string> });
  await store.update({ pk: "runs", sk: `${run.requestedAt}#${run.id}` }, { set: { id: run.id } });
}

describe("The active runs", () => {
  test("are those that were started and have not ended, the newest first, however many were skipped since", async () => {
    const runs = new Ledger(new FaultyStore()).runs;
    await runs.create(of("first"));
    const second = await runs.create(of("second", 1));
    for (let minute = 2; minute < 250; minute++) await runs.skip(of(`tick-${minute}`, minute), second);
    expect(await idsOf(runs)).toEqual(["second", "first"]);
    await end(runs, "second");
    expect(await idsOf(runs)).toEqual(["first"]);
    await runs.pause("first");
    expect(await idsOf(runs)).toEqual(["first"]);
    await runs.progress.fail("first", "no");
    await runs.cancel("first");
    expect(await idsOf(runs)).toEqual(["first"]);
  });

  test("are read from two rows, and not from the list of all runs, once the row is filled", async () => {
    const store = new FaultyStore();
    const runs = new Ledger(store).runs;
    await runs.create(of("first"));
    await idsOf(runs);
    store.reads = 0;
    store.before = (operation) => operation === "newest" && Promise.reject(new Error("the list is read"));
    expect(await idsOf(runs)).toEqual(["first"]);
    expect(store.reads).toBe(2);
  });

  test("of a table from before the row are found, an old one behind many that were skipped", async () => {
    const store = new MemoryStore();
    await startedBefore(store, of("old"));
    const runs = new Ledger(store).runs;
    const old = await runs.get("old");
    for (let minute = 1; minute <= 1_100; minute++) await runs.skip(of(`tick-${minute}`, minute), old);
    // A start of today's code finds no complete row.
    await runs.create(of("new", 1_101));
    expect(await idsOf(runs)).toEqual(["new", "old"]);
    expect(await store.get(ACTIVE_KEY)).toMatchObject({ complete: true, "run old": 0, "run new": 0 });
    const exclusive = await runs.create({ ...of("tick", 1_102), exclusive: true });
    expect(await runs.active.enterAlone(exclusive)).toMatchObject({ id: "new" });
  });

  test("of code from before the row, which wrote one after the row was filled, are found from their next slice on", async () => {
    const store = new MemoryStore();
    const runs = new Ledger(store).runs;
    expect(await idsOf(runs)).toEqual([]);
    await startedBefore(store, of("old"));
    await runs.progress.takeUp("old", 1);
    expect(await idsOf(runs)).toEqual(["old"]);
  });

  test("do not keep one whose row has expired, nor one that ended while its removal failed", async () => {
    const store = new MemoryStore();
    const runs = new Ledger(store).runs;
    await runs.active.enter({ id: "expired", hop: 3 });
    await runs.create(of("ended"));
    await end(runs, "ended");
    expect(await membersOf(store)).toEqual(["expired", "ended"]);
    expect(await idsOf(runs)).toEqual([]);
    expect(await membersOf(store)).toEqual([]);
  });

  test("are not hidden by a run of a newer version that has ended", async () => {
    const store = new MemoryStore();
    const runs = new Ledger(store).runs;
    await runs.create(of("newer"));
    await runs.create(of("a", 1));
    await store.update(runKey("newer"), { set: { status: "completed", completedAt: at(2), version: 99 } });
    expect(await idsOf(runs)).toEqual(["a"]);
    expect(await membersOf(store)).toEqual(["a"]);
    // One that is active cannot be read, so nothing is begun beside it.
    await store.update(runKey("newer"), { set: { status: "running", version: 99 } });
    await store.update(ACTIVE_KEY, { set: { "run newer": 0 } });
    await expect(idsOf(runs)).rejects.toThrow(/version 99/);
  });

  test("are found by a reader without the right to write", async () => {
    const store = new FaultyStore();
    const runs = new Ledger(store).runs;
    await runs.create(of("ended"));
    await runs.create(of("a", 1));
    await end(runs, "ended");
    store.before = (operation) => operation === "update" && Promise.reject(new Error("AccessDeniedException"));
    expect(await idsOf(runs)).toEqual(["a"]);
    expect(await idsOf(runs)).toEqual(["a"]);
  });

  test("are left by one whose end was handled", async () => {
    const store = new MemoryStore();
    const runs = new Ledger(store).runs;
    await runs.create(of("a"));
    await end(runs, "a");
    await runs.endCompletion("a");
    expect(await membersOf(store)).toEqual([]);
  });

  test("are joined again by a failed run that is reopened, though a reader is removing it", async () => {
    const store = new FaultyStore();
    const runs = new Ledger(store).runs;
    await runs.create(of("a"));
    await idsOf(runs);
    await runs.progress.fail("a", "the source is gone");
    // Between the reader's look at the run and its removal.
    let reopened = false;
    store.before = async (operation, key) => {
      if (operation !== "update" || key?.pk !== ACTIVE_KEY.pk || reopened) return;
      reopened = true;
      await runs.reopen("a");
    };
    expect(await idsOf(runs)).toEqual([]);
    expect(reopened).toBe(true);
    expect(await idsOf(runs)).toEqual(["a"]);
    expect(await membersOf(store)).toEqual(["a"]);
  });

  test("keep the number of the continuation with which they became active, until they are reopened", async () => {
    const store = new MemoryStore();
    const { active } = new Ledger(store).runs;
    const row = async () => (await store.get(ACTIVE_KEY))?.["run a"];
    await active.enter({ id: "a", hop: 3 });
    await active.enter({ id: "a", hop: 4 });
    expect(await row()).toBe(3);
    await active.enterAgain({ id: "a", hop: 4 });
    expect(await row()).toBe(5);
  });

  test("are as many as there are, though the row holds a thousand", async () => {
    const store = new MemoryStore();
    const runs = new Ledger(store).runs;
    const ids = Array.from({ length: 1_003 }, (_, number) => String(number).padStart(4, "0"));
    // The first thousand were there before the row: to enter them one by one would take long.
    for (const id of ids.slice(0, 1_000)) await startedBefore(store, of(id, Number(id)));
    expect(await idsOf(runs)).toHaveLength(1_000);
    for (const id of ids.slice(1_000)) await runs.create(of(id, Number(id)));
    expect(await membersOf(store)).toHaveLength(1_000);
    expect(await idsOf(runs)).toEqual(ids.toReversed());
    const exclusive = await runs.create({ ...of("tick"), exclusive: true });
    expect(await runs.active.enterAlone(exclusive)).toMatchObject({ id: "1002" });
    // And they fit again once some have ended.
    for (const id of ids.slice(0, 10)) await end(runs, id);
    expect(await idsOf(runs)).toHaveLength(993);
    expect(await store.get(ACTIVE_KEY)).toMatchObject({ complete: true });
    expect(await membersOf(store)).toHaveLength(993);
  });
});

describe("In every order of the steps, with deaths between them,", () => {
  /** A start that must be alone: what a producer does with it. */
  const alone = (id: string, deaths: number): OrderedActor => ({
    name: id,
    deaths,
    act: async (store) => {
      const runs = new Ledger(store).runs;
      const run = await runs.get(id);
      if (run.status !== "running") return;
      const other = await runs.active.enterAlone(run);
      if (other !== undefined) await runs.skip(of(id), other);
    },
  });

  async function worldOf(actors: readonly OrderedActor[], prepare: (runs: Runs) => Promise<unknown>) {
    const store = new MemoryStore();
    const runs = new Ledger(store).runs;
    const exclusive = actors.map(({ name }) => name).filter((name) => name.startsWith("tick"));
    await prepare(runs);
    for (const id of exclusive) await runs.create({ ...of(id), exclusive: true });
    const entered = new Set<string>();
    return {
      store,
      actors,
      async check() {
        for (const id of await membersOf(store)) {
          if (entered.has(id)) continue;
          entered.add(id);
          if (!exclusive.includes(id)) continue;
          const others = (await membersOf(store)).filter((other) => other !== id);
          for (const other of others) {
            const run = await runs.find(other);
            const active = run !== undefined && ["running", "paused", "cancelling", "failing"].includes(run.status);
            expect(active, `${id} begins beside ${other}`).toBe(false);
          }
        }
      },
      async checkEnd() {
        const started = (await runs.latest(10)).filter(({ status }) => status === "running");
        expect(await idsOf(runs)).toEqual(started.map(({ id }) => id));
        expect(started.filter((run) => run.exclusive).length).toBeLessThanOrEqual(1);
        // Nothing blocks for ever: once all have ended, the next start begins.
        for (const { id } of started) await end(runs, id);
        const next = await runs.create({ ...of("next", 9), exclusive: true });
        expect(await runs.active.enterAlone(next)).toBeUndefined();
      },
    };
  }

  const filled = (runs: Runs) => runs.active.list();
  const ends: OrderedActor = {
    name: "the end of x",
    deaths: 0,
    act: async (store) => {
      // As the roll-up writes it.
      await store.update(runKey("x"), { set: { status: "completed", completedAt: at(5) } });
      await new Ledger(store).runs.active.leave("x");
    },
  };
  const byHand: OrderedActor = {
    name: "a start by hand",
    deaths: 1,
    act: (store) => new Ledger(store).runs.create(of("hand", 1)),
  };

  test("of two starts one begins", async () => {
    let orders = 0;
    for (const deaths of [0, 1]) {
      orders += await inEveryOrder(() => worldOf([alone("tick-1", deaths), alone("tick-2", 0)], filled));
    }
    expect(orders).toBeGreaterThan(100);
  });

  test("a start begins only if the run before it has ended", async () => {
    await inEveryOrder(() =>
      worldOf([alone("tick-1", 1), ends], async (runs) => {
        await runs.create(of("x"));
        await filled(runs);
      }),
    );
  });

  test("a start does not begin beside a run that was started by hand before", async () => {
    await inEveryOrder(() => worldOf([alone("tick-1", 0), byHand], filled));
  });

  // Too many orders to go through each: chance picks some.
  test("of three starts one begins, on a table from before the row, beside a run that ends and one that is started by hand", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { maxLength: 80 }), fc.boolean(), async (choices, isOld) => {
        const actors = [alone("tick-1", 1), alone("tick-2", 1), alone("tick-3", 0), ends, byHand];
        const world = await worldOf(actors, async (runs) => {
          await runs.create(of("x"));
          if (!isOld) await filled(runs);
        });
        let taken = 0;
        await inOneOrder(world, (ways) => (choices[taken++] ?? 0) % ways);
      }),
      {
        numRuns: 500,
        // Another start fills the row with the run that was started by hand, after the third start has read the list of all runs.
        examples: [
          [
            [
              1871853634, 701238788, 1609900529, 579585052, 1411807449, 1597717838, 936797453, 1204835631, 808477719,
              780800062,
            ],
            true,
          ],
        ],
      },
    ));
});
