import { describe, expect, test } from "vitest";
import type { Row } from "../../../shared/aws/table.ts";
import { failureAttribute, readAttemptsRow } from "../../../shared/ledger/attempts-row.ts";
import { epochAttribute, pageEntry, readBlockRow } from "../../../shared/ledger/block-row.ts";
import { blockCount, blockOf } from "../../../shared/ledger/keys.ts";
import {
  claimedIndexes,
  deadSet,
  generationEntry,
  isNotable,
  isRedriven,
  isSettled,
  lastSettledGeneration,
  pageTotals,
  pendingIndexes,
  pendingOf,
  presentTotals,
  readPageRow,
  retryEntry,
} from "../../../shared/ledger/page-row.ts";
import { sumTotals } from "../../../shared/ledger/totals.ts";
import { FAILURE } from "../../helpers/ledger-rig.ts";

const page = (row: Row) => readPageRow({ size: 4, digest: "digest", epoch: 1, ...row });

describe("A page row", () => {
  test("counts an item as pending if it is neither done nor dead", () => {
    expect(pendingOf(page({}))).toBe(4);
    const row = page({ done: new Set([0, 2]), dying: new Set([1]), [deadSet("permanent")]: new Set([1]) });
    expect(row.done).toEqual(new Set([0, 2]));
    expect(row.dead).toEqual(new Map([[1, "permanent"]]));
    expect(pendingOf(row)).toBe(1);
  });

  test("does not count a success after the death was claimed: the item is pending until it is dead", () => {
    const claimed = page({ done: new Set([0]), dying: new Set([0]) });
    expect(claimed.done.size).toBe(0);
    expect(pendingOf(claimed)).toBe(4);
    expect(isSettled(claimed, 0, 0)).toBe(false);
  });

  test("counts an item once if its death was recorded with two reasons", () => {
    const row = page({
      dying: new Set([3]),
      [deadSet("exhausted")]: new Set([3]),
      [deadSet("permanent")]: new Set([3]),
    });
    expect(pageTotals(row)).toMatchObject({ dead: 1, deadByReason: { exhausted: 1 } });
    expect(pendingOf(row)).toBe(3);
  });

  test("counts a redriven item as dead, for the latest reason, until it succeeds", () => {
    const died = { dying: new Set([1]), [deadSet("exhausted")]: new Set([1]) };
    expect(page(died).redriven).toBe(false);
    expect(isSettled(page(died), 1, 0)).toBe(true);
    expect(isSettled(page(died), 1, 1)).toBe(false);

    const again = page({
      ...died,
      dying: new Set([1, generationEntry(1, 1)]),
      [deadSet("permanent")]: new Set([generationEntry(1, 1)]),
    });
    expect(pageTotals(again)).toMatchObject({ dead: 1, deadByReason: { permanent: 1 } });
    expect(again.redriven).toBe(true);
    expect(isSettled(again, 1, 1)).toBe(true);
    expect(isSettled(again, 1, 2)).toBe(false);

    const succeeded = page({ ...died, done: new Set([generationEntry(1, 1)]) });
    expect(succeeded.dead.size).toBe(0);
    expect(succeeded.done).toEqual(new Set([1]));
    expect(succeeded.redriven).toBe(true);
    expect([0, 1, 2].map((redrives) => isSettled(succeeded, 1, redrives))).toEqual([true, true, true]);
  });

  test("counts an item as pending from its redrive until it settles again, and the page stays full", () => {
    const died = { dying: new Set([1]), [deadSet("exhausted")]: new Set([1]), done: new Set([0, 2, 3]) };
    expect(presentTotals(page(died))).toMatchObject({ pending: 0, dead: 1 });

    const redriven = page({ ...died, redriven: new Set([generationEntry(1, 1)]) });
    expect(presentTotals(redriven)).toMatchObject({ pending: 1, dead: 0, deadByReason: {} });
    expect([pendingOf(redriven), pageTotals(redriven).dead]).toEqual([0, 1]);
    expect(redriven.redriven).toBe(true);

    const settled: Row[] = [
      { done: new Set([0, 2, 3, generationEntry(1, 1)]) },
      { dying: new Set([1, generationEntry(1, 1)]), [deadSet("permanent")]: new Set([generationEntry(1, 1)]) },
      { cancelled: new Set([generationEntry(1, 1)]) },
      // A later redrive generation has settled, and its redrive was not recorded.
      { [deadSet("permanent")]: new Set([generationEntry(1, 2)]) },
    ];
    for (const more of settled) {
      const row = page({ ...died, redriven: new Set([generationEntry(1, 1)]), ...more });
      expect(presentTotals(row)).toEqual({ ...pageTotals(row), pending: 0 });
    }
  });

  test("counts a cancelled item that is redriven, from a backup, as pending", () => {
    const row = page({ cancelled: new Set([1]), redriven: new Set([generationEntry(1, 1)]) });
    expect(presentTotals(row)).toMatchObject({ cancelled: 0, pending: 4 });
    expect(pageTotals(row)).toMatchObject({ cancelled: 1 });
  });

  test("knows the latest redrive generation that died or was cancelled", () => {
    const row = page({
      [deadSet("exhausted")]: new Set([1, generationEntry(1, 2)]),
      cancelled: new Set([generationEntry(2, 1)]),
    });
    expect([0, 1, 2].map((index) => lastSettledGeneration(row, index))).toEqual([-1, 2, 1]);
  });

  test("counts a redriven item that was cancelled as cancelled: its dead letter is gone", () => {
    const row = page({
      dying: new Set([1]),
      [deadSet("exhausted")]: new Set([1]),
      cancelled: new Set([generationEntry(1, 1)]),
    });
    expect(pageTotals(row)).toMatchObject({ dead: 0, cancelled: 1 });
    expect(pendingOf(row)).toBe(3);
  });

  test("counts an item once that settled in several ways, and a death before a cancellation of the same generation", () => {
    const first = generationEntry(0, 1);
    const row = page({
      [deadSet("exhausted")]: new Set([first, 1]),
      [deadSet("permanent")]: new Set([first]),
      cancelled: new Set([0, first, 2, generationEntry(3, 1)]),
      done: new Set([generationEntry(2, 1), 3]),
    });
    expect(row.dead).toEqual(new Map([0, 1].map((index) => [index, "exhausted"])));
    expect([row.done, row.cancelled]).toEqual([new Set([2, 3]), new Set()]);
    expect([pendingOf(row), row.redriven]).toEqual([0, true]);
  });

  test("is redriven if one of its deaths is, and counts a redriven item that has not settled before as pending once", () => {
    expect(page({ [deadSet("exhausted")]: new Set([0, generationEntry(1, 1)]) }).redriven).toBe(true);
    expect(page({ [deadSet("exhausted")]: new Set([0, 1]) }).redriven).toBe(false);
    expect(page({ done: new Set([0, 1]), cancelled: new Set([2]) }).redriven).toBe(false);
    const redriven = page({ redriven: new Set([generationEntry(1, 1)]) });
    expect(presentTotals(redriven).pending).toBe(4);
    expect([0, 1].map((index) => isRedriven(redriven, index))).toEqual([false, true]);
    const settled = page({ redriven: new Set([generationEntry(1, 1)]), done: new Set([1]) });
    expect([0, 1].map((index) => isRedriven(settled, index))).toEqual([false, false]);
  });

  test("tells its pending items from those whose death is claimed", () => {
    const row = page({ done: new Set([0]), dying: new Set([1, 2]), [deadSet("permanent")]: new Set([2]) });
    expect(pendingIndexes(row)).toEqual([3]);
    expect(claimedIndexes(row)).toEqual([1]);
  });

  test("takes the highest count of retries of each redrive generation, and adds up all of them", () => {
    const retries = new Set([retryEntry(0, 0, 1), retryEntry(0, 0, 3), retryEntry(0, 1, 2), retryEntry(2, 0, 4)]);
    expect(pageTotals(page({ retries })).retried).toBe(3 + 2 + 4);
  });

  test("is notable with a dead or cancelled item or a retry", () => {
    expect(isNotable(page({ done: new Set([0, 1, 2, 3]) }))).toBe(false);
    expect(isNotable(page({ retries: new Set([retryEntry(0, 0, 1)]) }))).toBe(true);
    expect(isNotable(page({ [deadSet("invalid item")]: new Set([0]) }))).toBe(true);
    expect(isNotable(page({ cancelled: new Set([0]) }))).toBe(true);
  });
});

describe("A block row", () => {
  test("knows its pages by their number in the run", () => {
    expect([0, 999, 1_000, 1_999, 2_000].map(blockOf)).toEqual([0, 0, 1, 1, 2]);
    expect([0, 1, 1_000, 1_001, 2_000].map(blockCount)).toEqual([0, 1, 1, 2, 2]);
    const full = new Set([pageEntry(1_000, 1), pageEntry(1_999, 1)]);
    expect(readBlockRow({ full }, 1).full).toEqual(new Set([1_000, 1_999]));
  });

  test("counts a page that is full only in its present epoch", () => {
    const full = new Set([pageEntry(1_007, 1), pageEntry(1_008, 1), pageEntry(1_008, 2)]);
    const announced = { [epochAttribute(1_007)]: 2, [epochAttribute(1_008)]: 2 };
    expect(readBlockRow({ full, notable: full, ...announced }, 1).full).toEqual(new Set([1_008]));
    expect(readBlockRow({ full, notable: full, ...announced }, 1).notable).toEqual(new Set([1_008]));
  });

  test("does not count a page beyond its size, which the source did not have any more when it ended", () => {
    const full = new Set([0, 2]);
    expect(readBlockRow({ full, notable: full }, 0)).toMatchObject({ size: undefined, full: new Set([0, 2]) });
    expect(readBlockRow({ full, notable: full, size: 2 }, 0)).toMatchObject({
      size: 2,
      full: new Set([0]),
      notable: new Set([0]),
    });
  });
});

test("Totals are summed up by reason", () => {
  const one = { dead: 2, cancelled: 1, retried: 3, deadByReason: { exhausted: 1, permanent: 1 } } as const;
  const other = { dead: 1, cancelled: 0, retried: 1, deadByReason: { exhausted: 1 } } as const;
  const sum = { dead: 3, cancelled: 1, retried: 4, deadByReason: { exhausted: 2, permanent: 1 } };
  expect(sumTotals([one, other])).toEqual(sum);
  expect(sumTotals([])).toEqual({ dead: 0, cancelled: 0, retried: 0, deadByReason: {} });
});

test("An attempts row gives the failures of one redrive generation, in the order of the receives", () => {
  const failures = [10, 9, 2].map(
    (receive) => [failureAttribute(1, receive), { ...FAILURE, attempt: receive }] as const,
  );
  const row = {
    ...Object.fromEntries(failures),
    [failureAttribute(0, 1)]: FAILURE,
    "final 0": "exhausted",
  } as unknown as Row;
  const { failures: read, final } = readAttemptsRow(row, 1);
  expect(read.map(({ attempt }) => attempt)).toEqual([2, 9, 10]);
  expect(final).toBeUndefined();
  expect(readAttemptsRow(row, 0)).toMatchObject({ failures: [FAILURE], final: "exhausted" });
  expect(readAttemptsRow(undefined, 0)).toMatchObject({ failures: [], final: undefined });
});
