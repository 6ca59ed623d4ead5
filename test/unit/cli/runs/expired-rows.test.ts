import { expect, test } from "vitest";
import { checkRowsExist } from "../../../../cli/runs/expired-rows.ts";
import type { RunTarget } from "../../../../cli/targets/target.ts";
import type { RunRecord } from "../../../../shared/ledger/run-record.ts";

const DAY = 86_400_000;
const pausedAt = "2026-01-01T00:00:00.000Z";
const after = (days: number) => Date.parse(pausedAt) + days * DAY;
const run = { id: "r1", pausedAt } as RunRecord;
const onAws = { local: undefined, where: "stack sluice-cities" };
const here = { local: {}, where: "this machine" } as RunTarget;

test("a run that was paused for a year can be resumed", () => {
  expect(() => checkRowsExist(run, onAws, after(365))).not.toThrow();
});

test("a run that was paused for longer on AWS cannot be resumed, because rows of its ledger may have expired", () => {
  expect(() => checkRowsExist(run, onAws, after(366))).toThrow(
    "run r1 on stack sluice-cities has been paused since 2026-01-01T00:00:00.000Z, for more than 365 days",
  );
});

test("on one machine, and if it is not paused, a run of any age can be resumed", () => {
  expect(() => checkRowsExist(run, here, after(4_000))).not.toThrow();
  expect(() => checkRowsExist({ ...run, pausedAt: undefined }, onAws, after(4_000))).not.toThrow();
});
