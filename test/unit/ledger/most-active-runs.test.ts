import { beforeEach, describe, expect, test } from "vitest";
import { batchesOf } from "../../../shared/base/batches.ts";
import { ACTIVE_KEY } from "../../../shared/ledger/active-runs.ts";
import { runKey, runListKey } from "../../../shared/ledger/keys.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { CREATED } from "../../helpers/ledger-rig.ts";

const MOST = 1_000;
const [FIRST, LAST] = ["0000", "0999"];
const namesTo = (count: number) => Array.from({ length: count }, (_, number) => String(number).padStart(4, "0"));
const NEW = { ...CREATED, id: "new", requestedAt: "2026-11-22T09:00:00.000Z" };

let store: FaultyStore;
let runs: Ledger["runs"];

/** Writes the rows of runs that are active. */
async function active(names: readonly string[]): Promise<void> {
  for (const id of names) {
    const requestedAt = `2026-11-22T08:00:00.${id.slice(1)}Z`;
    await store.update(runKey(id), { set: { ...CREATED, id, requestedAt, status: "running", hop: 0 } });
    await store.update(runListKey(id, requestedAt), { set: { id } });
  }
}

/** Makes runs members of the row of active runs. */
async function enter(names: readonly string[], set = {}): Promise<void> {
  for (const some of batchesOf(names, 100))
    await store.update(ACTIVE_KEY, { set: { ...Object.fromEntries(some.map((id) => [`run ${id}`, 0])), ...set } });
}

const end = (id: string) => store.update(runKey(id), { set: { status: "completed", completedAt: NEW.requestedAt } });
const row = async () => (await store.get(ACTIVE_KEY)) ?? {};
const memberCount = async () => Object.keys(await row()).filter((name) => name.startsWith("run ")).length;
const idsOf = async () => (await runs.active.list()).map(({ id }) => id);

beforeEach(() => {
  store = new FaultyStore();
  runs = new Ledger(store).runs;
});

describe("The row of the active runs", () => {
  test("names no more than a thousand, and says that it does not name all", async () => {
    await active(namesTo(MOST));
    await enter(namesTo(MOST), { complete: true });
    await runs.create(NEW);
    expect(await memberCount()).toBe(MOST);
    expect(await row()).not.toHaveProperty(`run ${NEW.id}`);
    expect(await row()).not.toHaveProperty("complete");
    // Two writes have changed the row, and no reader may take it for the row before one of them.
    expect((await row()).change).toBe("new 0!");
    expect(await idsOf()).toEqual([NEW.id, ...namesTo(MOST).toReversed()]);
    // The readers still find more than the row can name.
    expect(await memberCount()).toBe(MOST);
    expect(await row()).not.toHaveProperty("complete");
  });

  test("names one more if it has a thousand with it, and does not look whether they have ended", async () => {
    await enter(namesTo(MOST - 1), { complete: true });
    store.reads = 0;
    await runs.create(NEW);
    expect(store.reads).toBe(0);
    expect(await row()).toMatchObject({ complete: true, "run new": 0, change: "new 0" });
  });

  test("names one more if one of its thousand runs has ended", async () => {
    await active(namesTo(MOST));
    await enter(namesTo(MOST), { complete: true });
    await end(FIRST);
    await runs.create(NEW);
    expect(await row()).toMatchObject({ complete: true, "run new": 0, change: "new 0" });
    expect(await row()).not.toHaveProperty(`run ${FIRST}`);
    expect(await memberCount()).toBe(MOST);
  });

  test("is filled with a thousand runs, and then names all", async () => {
    await active(namesTo(MOST));
    expect(await idsOf()).toHaveLength(MOST);
    expect(await memberCount()).toBe(MOST);
    expect(await row()).toHaveProperty("complete", true);
  });

  test("does not say that it names all if a reader has read it before it was too many, and a run has ended since", async () => {
    await active(namesTo(MOST));
    await enter(namesTo(MOST));
    const hasRead = Promise.withResolvers<void>();
    const isRemoved = Promise.withResolvers<void>();
    let reader: Promise<readonly string[]> | undefined;
    store.before = async (operation, key, update) => {
      if (operation !== "update" || key?.pk !== ACTIVE_KEY.pk) return;
      if (update?.remove?.includes("complete")) {
        await end(LAST);
        // The reader finds a thousand active runs, of which the new one is a member.
        reader = idsOf();
        await hasRead.promise;
      } else if (reader !== undefined) {
        hasRead.resolve();
        await isRemoved.promise;
      }
    };
    await runs.create(NEW);
    isRemoved.resolve();
    expect(await reader).toHaveLength(MOST);
    expect(await idsOf()).toContain(NEW.id);
  });
});
