import { expect, test } from "vitest";
import type { Tolerance } from "../../../shared/definition/tolerance.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

async function endWith(dead: number, tolerance: Tolerance) {
  const store = new MemoryStore();
  const ledger = new Ledger(store);
  const { runs } = ledger;
  const requestedAt = "2026-11-22T00:00:00.000Z";
  const run = await runs.create({ id: "r", workflow: "w", requestedAt, tolerance });
  await ledger.pages.open({ run: "r", partition: 0, page: 0 }, { size: 10, digest: "d" });
  await runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages: 1, items: 10, ended: true });
  const item = (index: number) => ({ run: "r", partition: 0, page: 0, index, epoch: 1, redriveGeneration: 0 });
  for (let index = 0; index < dead; index++) {
    await ledger.outcomes.claimDeath(item(index));
    await ledger.outcomes.recordDeath(item(index), "permanent", 0);
  }
  const items = Array.from({ length: 10 - dead }, (_, n) => ({ index: dead + n, failures: 0, redriveGeneration: 0 }));
  await ledger.outcomes.recordSuccesses({ run: "r", partition: 0, page: 0, epoch: 1, items });
  return await runs.get("r");
}

test("a run whose last items die too fast for anybody to stop it has failed all the same", async () => {
  expect(await endWith(3, { count: 2, minimum: 100 })).toMatchObject({
    status: "failed",
    failure: "3 items died, more than the 2 that are tolerated",
    totals: { dead: 3 },
  });
});

test("a run with as many dead items as are tolerated is completed", async () => {
  expect(await endWith(2, { count: 2, minimum: 100 })).toMatchObject({ status: "completed", totals: { dead: 2 } });
});
