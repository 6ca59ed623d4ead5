import { expect, test } from "vitest";
import { itemLedger } from "../../../shared/ledger/item-ledger.ts";
import { LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

test("the ledger of a consumer records the last success of a run, and announces the run's end at its time", async () => {
  const rig = new LedgerRig();
  await rig.produced([1]);
  const announced: string[] = [];
  const ledger = itemLedger(
    rig.store,
    () => Date.UTC(2026, 10, 22),
    async ({ run }) => void announced.push(run),
  );
  const item = rig.item(0);
  await ledger.outcomes.recordSuccesses({ ...item, items: [{ ...item, failures: 0 }] });
  expect(await ledger.runs.find(RUN)).toMatchObject({
    status: "completed",
    completedAt: "2026-11-22T00:00:00.000Z",
  });
  expect(announced).toEqual([RUN]);
});
