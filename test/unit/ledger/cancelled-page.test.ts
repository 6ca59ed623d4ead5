import { expect, test } from "vitest";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { readPageRow } from "../../../shared/ledger/page-row.ts";
import { pageKey } from "../../../shared/messages/item-address.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

const page = { run: "r", partition: 0, page: 0 };
const all = Array.from({ length: 200 }, (_, index) => ({ index, failures: 0, redriveGeneration: 0 }));

/** A page of 200 items, in a store that limits an expression as DynamoDB does. */
async function openPage() {
  const store = new MemoryStore();
  const ledger = new Ledger(store);
  await ledger.runs.create({ id: "r", workflow: "w", requestedAt: new Date(0).toISOString() });
  await ledger.pages.open(page, { size: all.length, digest: "d" });
  return { ledger, state: async () => readPageRow((await store.get(pageKey(page))) ?? {}) };
}

test("a whole page is cancelled although DynamoDB limits the operators of a write", async () => {
  const { ledger, state } = await openPage();
  await ledger.outcomes.recordCancelled({ ...page, epoch: 1, items: all });
  expect((await state()).cancelled.size).toBe(200);
});

test("a settled item in the last write does not keep the run from ending", async () => {
  const { ledger } = await openPage();
  const run = await ledger.runs.get("r");
  const next = { cursor: undefined, skip: 0, pages: 1, items: all.length, ended: true };
  await ledger.runs.progress.checkpoint(run, next);
  await ledger.outcomes.recordSuccesses({ ...page, epoch: 1, items: all.slice(-2, -1) });
  await ledger.runs.cancel("r");
  await ledger.outcomes.recordCancelled({ ...page, epoch: 1, items: all });
  const { status, totals } = await ledger.runs.get("r");
  expect({ status, cancelled: totals?.cancelled }).toEqual({ status: "cancelled", cancelled: 199 });
});

test("a settled item among them stays as it is, and keeps no other from being cancelled", async () => {
  const { ledger, state } = await openPage();
  await ledger.outcomes.recordSuccesses({ ...page, epoch: 1, items: all.slice(100, 101) });
  await ledger.outcomes.recordCancelled({ ...page, epoch: 1, items: all });
  expect((await state()).cancelled.size).toBe(199);
  expect([...(await state()).done]).toEqual([100]);
});
