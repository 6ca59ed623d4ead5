import { beforeEach, describe, expect, test } from "vitest";
import { blockKey } from "../../../shared/messages/item-address.ts";
import { CREATED, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

// A run of 2,500 pages has three blocks: the pages up to 999, up to 1,999, and up to 2,499.
const PAGES = 2_500;
/** Pages on both sides of each border. The other pages have no rows, and add nothing to a count. */
const OPENED = [0, 999, 1_000, 1_999, 2_000, 2_499];

let rig: LedgerRig;
const page = (number: number) => ({ run: RUN, partition: 0, page: number });
const item = (number: number, index: number) => rig.item(index, { page: number });

beforeEach(async () => {
  rig = new LedgerRig();
  const run = await rig.runs.create(CREATED);
  for (const number of OPENED) await rig.ledger.pages.open(page(number), { size: 2, digest: "d" });
  await rig.runs.progress.checkpoint(run, {
    cursor: "further",
    skip: 0,
    pages: PAGES,
    items: 2 * OPENED.length,
    ended: false,
  });
});

const cancelledPages = async () => {
  const cancelled: number[] = [];
  for (const number of OPENED) if ((await rig.stateOf(item(number, 1))) === "settled") cancelled.push(number);
  return cancelled;
};

describe("a run of several blocks", () => {
  test("counts the items of all its pages", async () => {
    await rig.succeed(item(0, 0), 2);
    await rig.succeed(item(999, 0));
    await rig.die(item(1_000, 0));
    await rig.succeed(item(2_499, 0));
    await rig.succeed(item(2_499, 1));
    expect(await rig.counts()).toMatchObject({ produced: 12, succeeded: 4, dead: 1, retried: 2, pending: 7 });
  });

  test("cancels the pending items of its pages from one on", async () => {
    await rig.runs.stopping.cancelPending(await rig.runs.get(RUN), { partition: 0, page: 1_999 });
    expect(await cancelledPages()).toEqual([1_999, 2_000, 2_499]);
    expect(await rig.counts()).toMatchObject({ cancelled: 6, pending: 6 });
    await rig.runs.stopping.cancelPending(await rig.runs.get(RUN), { partition: 0, page: 0 });
    expect(await cancelledPages()).toEqual(OPENED);
  });

  test("does not look again at pages that are complete", async () => {
    await rig.succeed(item(0, 0));
    await rig.succeed(item(0, 1));
    const seen: unknown[] = [];
    await rig.runs.stopping.cancelWaiting(await rig.runs.get(RUN), 0, () => {
      seen.push(0);
      return false;
    });
    expect(seen).toHaveLength(PAGES - 1);
  });

  test("cancels items whose wait is long, until its time is over", async () => {
    const wait = async (number: number, index: number, milliseconds: number) => {
      const note = { at: "1970-01-01T00:00:01.000Z", name: "RetryLater", message: "later", milliseconds };
      const record = { kind: "retryLater", note, receive: 1, startedAt: 0, endedAt: 1_000 } as const;
      const [before] = await rig.ledger.itemStates([item(number, index)]);
      if (before?.tag !== "pending") throw new Error("not pending");
      const limit = { atMostMilliseconds: 1e9, isSuspect: false };
      await rig.ledger.attempts.recordWait(item(number, index), record, before, limit);
    };
    await wait(0, 0, 4_000);
    await wait(0, 1, 4_001);
    await wait(2_499, 1, 60_000);
    const run = await rig.runs.get(RUN);
    // The wait that ends at 5,000 ends no later than that.
    expect(await rig.runs.stopping.cancelWaiting(run, 5_000, () => true)).toBe(false);
    expect(await cancelledPages()).toEqual([]);
    let left = 1;
    expect(await rig.runs.stopping.cancelWaiting(run, 5_000, () => left-- === 0)).toBe(false);
    expect(await cancelledPages()).toEqual([0]);
    expect(await rig.stateOf(item(0, 0))).toBe("pending");
    expect(await rig.runs.stopping.cancelWaiting(run, 5_000, () => false)).toBe(true);
    expect(await cancelledPages()).toEqual([0, 2_499]);
  });

  test("completes with its last page, and its totals are those of all blocks", async () => {
    // The pages that were not opened are complete.
    for (const block of [0, 1, 2]) {
      const numbers = Array.from({ length: Math.min(1_000, PAGES - 1_000 * block) }, (_, offset) => offset);
      const full = numbers.filter((offset) => !OPENED.includes(1_000 * block + offset));
      await rig.store.update(blockKey({ run: RUN, partition: 0, block }), { add: { full } });
    }
    await rig.checkpointed(await rig.runs.get(RUN), 0, { ended: true });
    await rig.die(item(1_000, 0), 3);
    await rig.die(item(2_499, 0));
    await rig.succeed(item(2_000, 0), 4);
    const rest = OPENED.flatMap((number) => [item(number, 0), item(number, 1)]);
    for (const each of rest.slice(0, -1)) if ((await rig.stateOf(each)) === "pending") await rig.succeed(each);
    expect(await rig.status()).toBe("running");
    expect(rig.announcements).toEqual([]);
    await rig.succeed(item(2_499, 1));
    const totals = { dead: 2, cancelled: 0, retried: 7, deadByReason: { exhausted: 2 } };
    expect(await rig.runs.get(RUN)).toMatchObject({ status: "completed", totals });
    expect(await rig.counts()).toEqual({ produced: 12, succeeded: 10, pending: 0, ...totals });
    expect(rig.announcements).toEqual([RUN]);
  });
});
