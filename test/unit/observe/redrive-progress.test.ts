import { expect, test, vi } from "vitest";
import type { Counts, RunRecord } from "../../../shared/ledger/run-record.ts";
import { RedriveProgress } from "../../../shared/observe/redrive-progress.ts";

function world({ pending, visible = 0, inFlight = 0, delayed = 0 }: Partial<Record<string, number>>) {
  let now = 0;
  const counts = vi.fn(async () => {
    now += 50;
    return { pending } as Counts;
  });
  const queue = { depth: async () => ({ visible, inFlight, delayed }) };
  return {
    progress: new RedriveProgress({ runs: { counts }, queue }, () => now),
    counts,
    advance: (ms: number) => (now += ms),
  };
}

const run = { redriven: true } as RunRecord;

test.each([
  ["none", { pending: 0 }],
  ["none", { pending: 0, visible: 3 }],
  ["at work", { pending: 1, visible: 1 }],
  ["at work", { pending: 1, inFlight: 1 }],
  ["at work", { pending: 1, delayed: 1 }],
  ["lost", { pending: 1 }],
] as const)("redriven items are %s with %j", async (state, given) => {
  expect(await world(given).progress.check(run)).toBe(state);
});

test("a run without a redrive is not counted", async () => {
  const { progress, counts } = world({ pending: 5 });
  expect(await progress.check({ redriven: false } as RunRecord)).toBe("none");
  expect(counts).not.toHaveBeenCalled();
});

test("counting takes a tenth of the time at most", async () => {
  const { progress, counts, advance } = world({ pending: 1, visible: 1 });
  await progress.check(run);
  advance(499);
  expect(await progress.check(run)).toBe("at work");
  expect(counts).toHaveBeenCalledTimes(1);
  advance(1);
  await progress.check(run);
  expect(counts).toHaveBeenCalledTimes(2);
});
