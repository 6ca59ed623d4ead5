import { beforeEach, describe, expect, test } from "vitest";
import type { Tolerance } from "../../../shared/definition/tolerance.ts";
import { deathsKey } from "../../../shared/ledger/death-count.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import type { NewRun } from "../../../shared/ledger/run-states.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { CREATED, RUN } from "../../helpers/ledger-rig.ts";
import { requestsOf } from "../../helpers/request-log.ts";

const SIZE = 10;
const clock = { now: 0 };

let store: FaultyStore;
let ledger: Ledger;
beforeEach(() => {
  clock.now = 1_000_000;
  store = new FaultyStore();
  ledger = new Ledger(store, () => clock.now);
});

const item = (index: number, page = 0, partition = 0) => ({
  ...{ run: RUN, partition, page, index, epoch: 1, redriveGeneration: 0 },
});
const tally = async () => await store.get(deathsKey(RUN));
const note = (deaths: number, options = {}) => ledger.runs.stopBeyondTolerance(RUN, deaths, options);

async function die(...of: Parameters<typeof item>): Promise<void> {
  await ledger.outcomes.claimDeath(item(...of));
  await ledger.outcomes.recordDeath(item(...of), "permanent", 0);
}

async function succeed(count: number, first: number): Promise<void> {
  const items = Array.from({ length: count }, (_, place) => ({ ...item(first + place), failures: 0 }));
  await ledger.outcomes.recordSuccesses({ ...item(0), items });
}

async function produced(tolerance: Tolerance, pages: number, passed: number): Promise<void> {
  const run = await ledger.runs.create({ ...CREATED, tolerance });
  for (let page = 0; page < pages; page++)
    await ledger.pages.open({ run: RUN, partition: 0, page }, { size: SIZE, digest: "d" });
  const more = { cursor: "further", skip: 0, ended: false };
  await ledger.runs.progress.checkpoint(run, { ...more, pages: passed, items: passed * SIZE });
}

describe("The next check of a run", () => {
  test("compares its deaths with the items that are settled, and not with those that are produced", async () => {
    await produced({ percentage: 30, minimum: SIZE }, 3, 3);
    for (const index of [0, 1, 2, 3]) await die(index);
    // Four of nine items are more than 30 %, but too few items are settled.
    await succeed(SIZE - 5, 4);
    expect(await note(4, { soon: true })).toEqual({ tag: "continues" });
    await succeed(1, SIZE - 1);
    expect(await note(1, { soon: true })).toMatchObject({ tag: "stopped" });
    expect((await ledger.runs.get(RUN)).failure).toMatch(/^4 of 10 items died/);
  });

  test("counts the deaths of pages that no checkpoint has passed as settled items", async () => {
    await produced({ percentage: 50, minimum: 1 }, 2, 1);
    await succeed(SIZE, 0);
    for (const index of [0, 1]) await die(index, 1);
    expect(await note(2)).toEqual({ tag: "continues" });
    // 2 of 12 items have died. With 8 more, these are 10 of 20. The count begins with the 2 that were noted.
    expect(await tally()).toMatchObject({ deaths: 2, checkAt: 10 });
  });

  test("counts the deaths of such pages of each partition that a lane reads", async () => {
    const created: NewRun = { ...CREATED, lanes: 2, tolerance: { count: 2, minimum: 100 } };
    const run = await ledger.runs.create(created);
    const { lanes, progress } = ledger.runs;
    await lanes.seal(run, [{ id: "part 1" }, { id: "part 2" }]);
    await lanes.beginRound(run, 1);
    for (const lane of [0, 1]) await lanes.takeNext(run, lane, await lanes.read(run));
    const record = await progress.partition(run, { id: "part 2", number: 2 });
    for (const page of [0, 1]) await ledger.pages.open({ run: RUN, partition: 2, page }, { size: SIZE, digest: "d" });
    await progress.checkpoint(record, { cursor: "a", skip: 0, pages: 1, items: SIZE, ended: false });
    for (const page of [0, 1]) await die(0, page, 2);
    expect(await note(2)).toEqual({ tag: "continues" });
    // Two have died, and the next death is beyond the tolerance.
    expect(await tally()).toMatchObject({ deaths: 2, checkAt: 3 });
  });
});

describe("A check", () => {
  test("reads no page of a run that does not run", async () => {
    await produced({ count: 0, minimum: 100 }, 1, 1);
    await ledger.runs.pause(RUN);
    await die(0);
    const requests = await requestsOf(store, () => note(1));
    expect(requests.filter((request) => / (block|page)$/.test(request))).toEqual([]);
    expect(await tally()).not.toHaveProperty("checkAt");
  });

  test("is not made for a death that cannot be too much, even by a worker that will not ask again", async () => {
    await produced({ count: 5, minimum: 100 }, 1, 1);
    await note(1);
    expect(await requestsOf(store, () => note(1, { soon: true }))).toEqual(["update deaths"]);
  });

  describe("during which items die", () => {
    /** Lets an item die, and be counted, during each check. Returns the number of checks. */
    function deathsDuringChecks(): () => number {
      let checks = 0;
      store.before = async (operation, _key, update) => {
        if (operation !== "update" || update?.set?.checkedAt === undefined) return;
        checks++;
        clock.now += 1_000;
        await store.update(deathsKey(RUN), { increase: { deaths: 1 } });
      };
      return () => checks;
    }

    test("is not repeated by a worker that asks again later", async () => {
      await produced({ count: 0, minimum: 100 }, 1, 1);
      const checks = deathsDuringChecks();
      expect(await note(1)).toEqual({ tag: "due" });
      expect(checks()).toBe(1);
    });

    test("is repeated at most ten times by a worker that will not ask again", async () => {
      await produced({ count: 0, minimum: 100 }, 1, 1);
      const checks = deathsDuringChecks();
      expect(await note(1, { soon: true })).toEqual({ tag: "due" });
      expect(checks()).toBe(11);
    });
  });
});

test("A worker reads the tolerance of a run once, and remembers those of at most a hundred runs", async () => {
  const ids = Array.from({ length: 101 }, (_, number) => `run ${number}`);
  for (const id of ids) await ledger.runs.create({ ...CREATED, id });
  const noteIn = (id: string) => requestsOf(store, () => ledger.runs.stopBeyondTolerance(id, 1));
  for (const id of ids.slice(0, 100)) expect(await noteIn(id)).toEqual(["get run"]);
  for (const id of ids.slice(0, 100)) expect(await noteIn(id)).toEqual([]);
  expect(await noteIn("run 100")).toEqual(["get run"]);
  expect(await noteIn("run 100")).toEqual([]);
  expect(await noteIn("run 0")).toEqual(["get run"]);
});
