import { expect, test, vi } from "vitest";
import { RedrivenWatch } from "../../../../cli/runs/redrive-progress.ts";
import type { Counts, RunRecord } from "../../../../shared/ledger/run-record.ts";

function world({ pending, visible = 0, inFlight = 0, delayed = 0 }: Partial<Record<string, number>>) {
  let now = 0;
  const counts = vi.fn(async () => {
    now += 50;
    return { pending } as Counts;
  });
  const queue = { depth: async () => ({ visible, inFlight, delayed }) };
  return {
    watch: new RedrivenWatch({ runs: { counts }, queue }, () => now),
    counts,
    pass: (ms: number) => (now += ms),
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
] as const)("what was redriven is %s with %j", async (state, given) => {
  expect(await world(given).watch.look(run)).toBe(state);
});

test("a run of which nothing was redriven is not counted", async () => {
  const { watch, counts } = world({ pending: 5 });
  expect(await watch.look({ redriven: false } as RunRecord)).toBe("none");
  expect(counts).not.toHaveBeenCalled();
});

test("counting takes a tenth of the time", async () => {
  const { watch, counts, pass } = world({ pending: 1, visible: 1 });
  await watch.look(run);
  pass(499);
  expect(await watch.look(run)).toBe("at work");
  expect(counts).toHaveBeenCalledTimes(1);
  pass(1);
  await watch.look(run);
  expect(counts).toHaveBeenCalledTimes(2);
});
