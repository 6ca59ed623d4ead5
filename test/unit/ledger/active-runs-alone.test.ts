import { describe, expect, test } from "vitest";
import type { Update } from "../../../shared/aws/table.ts";
import { ACTIVE_KEY } from "../../../shared/ledger/active-runs.ts";
import { runKey, runListKey } from "../../../shared/ledger/keys.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";

const requestedAt = "2026-11-27T08:00:00.000Z";
const of = (id: string) => ({ id, workflow: "test", requestedAt });

/** A ledger, and the updates of the row that names the active runs. */
function start() {
  const store = new FaultyStore();
  const updates: Update[] = [];
  const watch = () => {
    updates.length = 0;
    store.before = (operation, key, update) => {
      if (operation === "update" && key?.pk === ACTIVE_KEY.pk && update !== undefined) updates.push(update);
    };
  };
  return { store, runs: new Ledger(store).runs, updates, watch };
}

const row = async ({ store }: ReturnType<typeof start>) => (await store.get(ACTIVE_KEY)) ?? {};

describe("A run that must be alone", () => {
  test("becomes a member if no other run is active, with one conditional write", async () => {
    const ledger = start();
    await ledger.runs.active.list();
    const alone = await ledger.runs.create({ ...of("tick"), exclusive: true });
    ledger.watch();
    expect(await ledger.runs.active.enterAlone(alone)).toBeUndefined();
    expect(ledger.updates).toEqual([{ set: { "run tick": 0, change: "tick 0" }, when: [{ absent: "change" }] }]);
    expect(await row(ledger)).toMatchObject({ complete: true, "run tick": 0, change: "tick 0" });
  });

  test("writes nothing if it is a member already", async () => {
    const ledger = start();
    const alone = await ledger.runs.create({ ...of("tick"), exclusive: true });
    await ledger.runs.active.enterAlone(alone);
    ledger.watch();
    expect(await ledger.runs.active.enterAlone(alone)).toBeUndefined();
    expect(ledger.updates).toEqual([]);
  });

  test("does not become a member beside another run, which it is told of", async () => {
    const ledger = start();
    await ledger.runs.create(of("first"));
    const alone = await ledger.runs.create({ ...of("tick"), exclusive: true });
    expect(await ledger.runs.active.enterAlone(alone)).toMatchObject({ id: "first" });
    expect(Object.keys(await row(ledger))).not.toContain("run tick");
  });

  test("does not stand in its own way if it has begun, and the row has expired since", async () => {
    const ledger = start();
    const alone = await ledger.runs.create({ ...of("tick"), exclusive: true });
    await ledger.store.update(runKey("tick"), { set: { hop: 2 } });
    expect(await ledger.runs.active.enterAlone({ ...alone, hop: 2 })).toBeUndefined();
    expect(await row(ledger)).toMatchObject({ "run tick": 2 });
  });

  test("looks again if another run became a member after it looked", async () => {
    const ledger = start();
    await ledger.runs.active.list();
    const alone = await ledger.runs.create({ ...of("tick"), exclusive: true });
    let others = 0;
    ledger.store.before = async (operation, key) => {
      if (operation !== "update" || key?.pk !== ACTIVE_KEY.pk || others++ > 0) return;
      await ledger.runs.create(of("first"));
    };
    expect(await ledger.runs.active.enterAlone(alone)).toMatchObject({ id: "first" });
    expect(Object.keys(await row(ledger))).not.toContain("run tick");
  });
});

describe("The row of the active runs", () => {
  const ids = Array.from({ length: 101 }, (_, index) => `run-${String(index).padStart(3, "0")}`);

  test("loses runs that have ended, fifty in a write", async () => {
    const ledger = start();
    const members = Object.fromEntries(ids.map((id, index) => [`run ${id}`, index]));
    await ledger.store.update(ACTIVE_KEY, { set: { ...members, complete: true, change: "x" } });
    ledger.watch();
    expect(await ledger.runs.active.list()).toEqual([]);
    expect(ledger.updates.map(({ remove, when }) => [remove?.length, when?.length])).toEqual([
      [50, 50],
      [50, 50],
      [1, 1],
    ]);
    expect(ledger.updates[2]).toEqual({ remove: ["run run-100"], when: [{ equals: ["run run-100", 100] }] });
    expect(await row(ledger)).toEqual(expect.not.objectContaining({ "run run-000": 0 }));
    expect(Object.keys(await row(ledger)).filter((name) => name.startsWith("run "))).toEqual([]);
  });

  test("is filled from the list of all runs, fifty in a write, and is then complete", async () => {
    const ledger = start();
    for (const id of ids) {
      await ledger.runs.create(of(id));
      await ledger.store.update(runListKey(id, requestedAt), { set: { id } });
    }
    // As if the row had expired, but for one run.
    await ledger.store.update(ACTIVE_KEY, { remove: [...ids.slice(1).map((id) => `run ${id}`), "complete"] });
    ledger.watch();
    expect((await ledger.runs.active.list()).map(({ id }) => id)).toEqual(ids.toReversed());
    const [first, second, last, ...more] = ledger.updates;
    expect(more).toEqual([]);
    const runsIn = (update?: Update) => Object.keys(update?.set ?? {}).filter((name) => name.startsWith("run "));
    expect([runsIn(first), runsIn(second)].map(({ length }) => length)).toEqual([50, 50]);
    // Each write has its own change, and fails if the row has changed since the one before.
    expect(first).toMatchObject({ set: { change: "run-100 0+" }, when: [{ equals: ["change", "run-100 0"] }] });
    expect(second).toMatchObject({
      set: { change: "run-100 0++" },
      when: [{ equals: ["change", "run-100 0+"] }],
    });
    expect(last).toEqual({ set: { complete: true }, when: [{ equals: ["change", "run-100 0++"] }] });
    const filled = await row(ledger);
    expect(filled.complete).toBe(true);
    expect(ids.map((id) => filled[`run ${id}`])).toEqual(ids.map(() => 0));
  });
});
