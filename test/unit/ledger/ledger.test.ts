import { describe, expect, test } from "vitest";
import type { LedgerStore, Update } from "../../../shared/aws/table.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { FAILURE, LedgerRig, RUN } from "../../helpers/ledger-rig.ts";

const CHANGED = { size: 2, digest: "second" };

/** A ledger whose update of a page is sent twice, as the SDK does if the first response was lost. */
function repeatingLedger(store: LedgerStore, isRepeated: (update: Update) => boolean, between: () => Promise<void>) {
  return new Ledger({
    get: (key) => store.get(key),
    getMany: (keys) => store.getMany(keys),
    newest: (pk, limit, before) => store.newest(pk, limit, before),
    async update(key, update) {
      if (isRepeated(update)) {
        await store.update(key, update);
        await between();
      }
      return await store.update(key, update);
    },
  });
}

describe("A page that is sent again", () => {
  test("keeps its epoch with the same content, and tells what is settled", async () => {
    const rig = new LedgerRig();
    await rig.produced([3], { ended: false });
    await rig.succeed(rig.item(0));
    await rig.die(rig.item(1));
    const again = await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 3, digest: "first" });
    expect(again).toMatchObject({ epoch: 1, resent: true });
    expect([0, 1, 2].map((index) => again?.isSettled(index))).toEqual([true, true, false]);
  });

  test("rises in its epoch with another content, and what was recorded of the old one counts no more", async () => {
    const rig = new LedgerRig();
    await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 2, digest: "first" });
    await rig.succeed(rig.item(0));
    const again = await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, CHANGED);
    expect(again).toMatchObject({ epoch: 2, resent: true });
    expect([0, 1].map((index) => again?.isSettled(index))).toEqual([false, false]);
    await rig.succeed(rig.item(1));
    expect(await rig.ledger.outcomes.claimDeath(rig.item(1))).toBe(false);
    expect(await rig.stateOf(rig.item(0))).toBe("stale");
    expect(await rig.stateOf(rig.item(0, { epoch: 2 }))).toBe("pending");
    // Back to the first content: yet another epoch, and not the old one.
    expect(
      await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 2, digest: "first" }),
    ).toMatchObject({
      epoch: 3,
    });
  });

  // https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
  test("loses no success of its new epoch if the write that raised the epoch is repeated", async () => {
    const rig = new LedgerRig();
    const page = { run: RUN, partition: 0, page: 0 };
    await rig.ledger.pages.open(page, { size: 2, digest: "first" });
    const raises = ({ set }: Update) => set?.epoch === 2;
    const recordSuccess = () => rig.succeed(rig.item(0, { epoch: 2 }));
    const opened = await repeatingLedger(rig.store, raises, recordSuccess).pages.open(page, CHANGED);
    expect(opened).toMatchObject({ epoch: 2, resent: true });
    expect([0, 1].map((index) => opened?.isSettled(index))).toEqual([true, false]);
    expect(await rig.stateOf(rig.item(0, { epoch: 2 }))).toBe("settled");
  });

  test("keeps its epoch and its records after a checkpoint has passed it: a producer with other content came too late", async () => {
    const rig = new LedgerRig();
    await rig.produced([2], { ended: false });
    await rig.succeed(rig.item(0));
    expect(await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, CHANGED)).toBeUndefined();
    expect(await rig.stateOf(rig.item(0))).toBe("settled");
    expect(await rig.stateOf(rig.item(1))).toBe("pending");
  });

  test("is not full because it was so in an earlier epoch, though the producer died before it could tell the block", async () => {
    const rig = new LedgerRig();
    const run = await rig.runs.create({ id: RUN, workflow: "cities", requestedAt: "2026-11-22T08:15:30.000Z" });
    await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 1, digest: "first" });
    await rig.succeed(rig.item(0));
    await rig.dyingAt(2, () => rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, CHANGED));
    await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, CHANGED);
    await rig.checkpointed(run, 2, { ended: true });
    // A slow consumer rolls up from the old epoch.
    await rig.succeed(rig.item(0));
    expect(await rig.status()).toBe("running");
    for (const index of [0, 1]) await rig.succeed(rig.item(index, { epoch: 2 }));
    expect(await rig.status()).toBe("completed");
  });

  test("is complete at once if its producer had dead-lettered the last item, and died before the roll-up", async () => {
    const rig = new LedgerRig();
    const run = await rig.runs.create({ id: RUN, workflow: "cities", requestedAt: "2026-11-22T08:15:30.000Z" });
    await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 1, digest: "first" });
    await rig.dyingAt(1, () => rig.ledger.outcomes.recordDeath(rig.item(0), "too large", 0));
    await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 1, digest: "first" });
    await rig.checkpointed(run, 1, { ended: true });
    expect(await rig.counts()).toMatchObject({ dead: 1, pending: 0, deadByReason: { "too large": 1 } });
    expect(await rig.status()).toBe("completed");
  });
});

test("A page that a stopped run's producer found unsent is sent by no other", async () => {
  const rig = new LedgerRig();
  expect(await rig.ledger.pages.cancel({ run: RUN, partition: 0, page: 0 })).toBeUndefined();
  expect(
    await rig.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 1, digest: "first" }),
  ).toBeUndefined();
  // If the producer that closed the page dies, the next producer finds the page closed.
  expect(await rig.ledger.pages.cancel({ run: RUN, partition: 0, page: 0 })).toBeUndefined();
});

test("A page that was sent and then left the source keeps no other from being waited for", async () => {
  const rig = new LedgerRig();
  await rig.produced([1, 1], { ended: false });
  await rig.ledger.pages.open({ run: RUN, partition: 0, page: 2 }, { size: 1, digest: "first" });
  await rig.succeed(rig.item(0, { page: 0 }));
  await rig.die(rig.item(0, { page: 2 }), 1);
  // The producer died before the checkpoint. Taken up again, the source has ended.
  await rig.checkpointed(await rig.runs.get(RUN), 0, { ended: true });
  expect(await rig.status()).toBe("running");
  expect(await rig.counts()).toMatchObject({ produced: 2, succeeded: 1, dead: 0, pending: 1 });
  await rig.succeed(rig.item(0, { page: 1 }));
  expect(await rig.status()).toBe("completed");
  expect(await rig.counts()).toMatchObject({ produced: 2, succeeded: 2, dead: 0, retried: 0 });
});

describe("A success and a death of one item", () => {
  test("the success first: nothing is dead-lettered", async () => {
    const rig = new LedgerRig();
    await rig.produced([1]);
    await rig.succeed(rig.item(0));
    expect(await rig.ledger.outcomes.claimDeath(rig.item(0))).toBe(false);
    expect(await rig.counts()).toMatchObject({ succeeded: 1, dead: 0 });
  });

  test("the claim first: the success is refused, and the next receive completes the death", async () => {
    const rig = new LedgerRig();
    await rig.produced([1]);
    expect(await rig.ledger.outcomes.claimDeath(rig.item(0))).toBe(true);
    // The message must come again: it may be the only one, if the consumer that claimed the death has died.
    await expect(rig.succeed(rig.item(0))).rejects.toThrow("claimed before");
    expect(await rig.ledger.itemStates([rig.item(0)])).toMatchObject([{ tag: "pending", final: "unexplained" }]);
    expect(await rig.ledger.outcomes.claimDeath(rig.item(0))).toBe(true);
    await rig.ledger.outcomes.recordDeath(rig.item(0), "unexplained", 0);
    expect(await rig.counts()).toMatchObject({ succeeded: 0, dead: 1, deadByReason: { unexplained: 1 } });
  });

  test("the success, whose consumer dies before the roll-up: the consumer that would have dead-lettered the item rolls up", async () => {
    const rig = new LedgerRig();
    await rig.produced([1]);
    await rig.dyingAt(1, () => rig.succeed(rig.item(0)));
    expect(await rig.status()).toBe("running");
    expect(await rig.ledger.outcomes.claimDeath(rig.item(0))).toBe(false);
    expect(await rig.status()).toBe("completed");
  });

  test("two deaths for two reasons are one", async () => {
    const rig = new LedgerRig();
    await rig.produced([2]);
    const item = rig.item(0);
    for (let claims = 0; claims < 2; claims++) expect(await rig.ledger.outcomes.claimDeath(item)).toBe(true);
    await rig.ledger.outcomes.recordDeath(item, "permanent", 0);
    await rig.ledger.outcomes.recordDeath(item, "exhausted", 2);
    expect(await rig.ledger.outcomes.claimDeath(item)).toBe(false);
    await rig.succeed(rig.item(1));
    expect(await rig.counts()).toMatchObject({ dead: 1, retried: 2, deadByReason: { exhausted: 1 } });
  });
});

describe("A redrive", () => {
  const dead = async () => {
    const rig = new LedgerRig();
    await rig.produced([2]);
    await rig.succeed(rig.item(1));
    await rig.die(rig.item(0), 1);
    return rig;
  };
  const record = (rig: LedgerRig, redrives: number) =>
    rig.ledger.outcomes.recordRedrives({ ...rig.item(0), items: [rig.item(0, { redriveGeneration: redrives })] });

  test("moves an item from dead to pending to done, and announces its run no second time", async () => {
    const rig = await dead();
    expect(await rig.counts()).toMatchObject({ dead: 1, pending: 0, succeeded: 1 });
    await record(rig, 1);
    await record(rig, 1);
    expect(await rig.counts()).toMatchObject({ dead: 0, pending: 1, succeeded: 1, deadByReason: {} });
    expect(await rig.status()).toBe("completed");
    await rig.succeed(rig.item(0, { redriveGeneration: 1 }));
    expect(await rig.counts()).toMatchObject({ dead: 0, pending: 0, succeeded: 2 });
    expect(rig.announcements).toEqual([RUN]);
  });

  test.for([0, 1])("that dies at write %i is not counted, and its repetition is", async (write) => {
    const rig = await dead();
    await rig.dyingAt(write, () => record(rig, 1));
    expect(await rig.counts()).toMatchObject({ dead: 1, pending: 0 });
    await record(rig, 1);
    expect(await rig.counts()).toMatchObject({ dead: 0, pending: 1 });
  });

  test("that is recorded after its item has settled again changes nothing", async () => {
    const rig = await dead();
    await rig.die(rig.item(0, { redriveGeneration: 1 }));
    await record(rig, 1);
    expect(await rig.counts()).toMatchObject({ dead: 1, pending: 0 });
  });

  test("of a run that is not known makes none", async () => {
    const rig = new LedgerRig();
    await record(rig, 1);
    expect(await rig.runs.find(RUN)).toBeUndefined();
    expect(await rig.ledger.itemFates([rig.item(0)])).toEqual([{ tag: "unknown" }]);
    expect(await rig.ledger.itemStates([rig.item(0)])).toEqual([{ tag: "unknown" }]);
  });

  test("is told what became of the item", async () => {
    const rig = await dead();
    const fate = async (index: number, more = {}) => (await rig.ledger.itemFates([rig.item(index, more)]))[0];
    expect(await fate(0)).toEqual({ tag: "dead", lastGeneration: 0, redriven: false, failures: [] });
    expect(await fate(1)).toEqual({ tag: "done" });
    expect(await fate(0, { epoch: 2 })).toEqual({ tag: "stale" });
    // SQS itself moves a message to the dead-letter queue if it was received too often.
    expect(await fate(7)).toMatchObject({ tag: "pending", lastGeneration: -1, redriven: false });
    await record(rig, 1);
    await rig.ledger.attempts.recordFailure(rig.item(0, { redriveGeneration: 1 }), 1, FAILURE);
    expect(await fate(0, { redriveGeneration: 1 })).toEqual({
      tag: "pending",
      lastGeneration: 0,
      redriven: true,
      failures: [FAILURE],
    });
  });
});

describe("A dead item that is redriven", () => {
  const redriven = async () => {
    const rig = new LedgerRig();
    await rig.produced([2]);
    await rig.succeed(rig.item(1));
    await rig.die(rig.item(0), 1);
    expect(await rig.status()).toBe("completed");
    return { rig, item: rig.item(0, { redriveGeneration: 1 }) };
  };

  test("moves from dead to done, and the counts of its run follow", async () => {
    const { rig, item } = await redriven();
    expect(await rig.counts()).toMatchObject({ succeeded: 1, dead: 1, retried: 1 });
    await rig.succeed(item, 1);
    const counts = { produced: 2, succeeded: 2, dead: 0, cancelled: 0, retried: 2, pending: 0, deadByReason: {} };
    expect(await rig.counts()).toEqual(counts);
    expect(await rig.stateOf(item)).toBe("settled");
  });

  test("has exact counts although the consumer died before the roll-up", async () => {
    const { rig, item } = await redriven();
    await rig.dyingAt(1, () => rig.succeed(item));
    expect(await rig.stateOf(item)).toBe("settled");
    await rig.ledger.outcomes.rollUpAgain({ run: RUN, partition: 0, page: 0 });
    expect(await rig.counts()).toMatchObject({ succeeded: 2, dead: 0 });
  });

  test("is pending a dead letter until its second death is recorded", async () => {
    const { rig, item } = await redriven();
    await rig.ledger.attempts.recordFailure(item, 1, FAILURE, "permanent");
    // The consumer died before it sent the dead letter: the one of the first death is gone.
    expect(await rig.ledger.itemStates([item])).toMatchObject([{ tag: "pending", final: "permanent" }]);
    expect(await rig.ledger.outcomes.claimDeath(item)).toBe(true);
    await rig.ledger.outcomes.recordDeath(item, "permanent", 0);
    expect(await rig.stateOf(item)).toBe("settled");
    expect(await rig.counts()).toMatchObject({ dead: 1, deadByReason: { permanent: 1 } });
    expect(await rig.stateOf(rig.item(0, { redriveGeneration: 2 }))).toBe("pending");
  });

  test("can die again although a duplicate had succeeded too late when it first died", async () => {
    const rig = new LedgerRig();
    await rig.produced([1]);
    await rig.ledger.outcomes.claimDeath(rig.item(0));
    await rig.succeed(rig.item(0)).catch(() => {});
    await rig.ledger.outcomes.recordDeath(rig.item(0), "exhausted", 0);
    expect(await rig.ledger.outcomes.claimDeath(rig.item(0, { redriveGeneration: 1 }))).toBe(true);
  });

  test("stays done when its first death is recorded late", async () => {
    const rig = new LedgerRig();
    await rig.produced([1]);
    await rig.ledger.outcomes.claimDeath(rig.item(0));
    // Its dead letter was sent, redriven at once, and succeeds before the slow one goes on.
    await rig.succeed(rig.item(0, { redriveGeneration: 1 }));
    await rig.ledger.outcomes.recordDeath(rig.item(0), "exhausted", 0);
    expect(await rig.counts()).toMatchObject({ succeeded: 1, dead: 0, pending: 0 });
  });
});

describe("Cancelled items", () => {
  test("are counted, but for those that were settled before", async () => {
    const rig = new LedgerRig();
    await rig.produced([3]);
    await rig.succeed(rig.item(0));
    await rig.die(rig.item(1));
    await rig.runs.cancel(RUN);
    const items = [0, 1, 2].map((index) => ({ index, redriveGeneration: 0 }));
    await rig.ledger.outcomes.recordCancelled({ run: RUN, partition: 0, page: 0, epoch: 1, items });
    expect(await rig.counts()).toMatchObject({ succeeded: 1, dead: 1, cancelled: 1, pending: 0 });
    expect(await rig.status()).toBe("cancelled");
    expect(rig.announcements).toEqual([RUN]);
  });

  test("refuse one whose death is claimed: its message must come again", async () => {
    const rig = new LedgerRig();
    await rig.produced([1]);
    await rig.ledger.outcomes.claimDeath(rig.item(0));
    await rig.runs.cancel(RUN);
    const cancelled = rig.ledger.outcomes.recordCancelled({ ...rig.item(0), items: [rig.item(0)] });
    await expect(cancelled).rejects.toThrow("claimed before");
    await rig.die(rig.item(0));
    expect(await rig.counts()).toMatchObject({ dead: 1, cancelled: 0, pending: 0 });
  });
});

test("A failure that is recorded twice is one", async () => {
  const rig = new LedgerRig();
  await rig.produced([1]);
  await rig.ledger.attempts.recordFailure(rig.item(0), 1, FAILURE);
  expect(await rig.ledger.attempts.recordFailure(rig.item(0), 1, FAILURE)).toHaveLength(1);
  expect(await rig.ledger.attempts.recordFailure(rig.item(0), 2, FAILURE)).toHaveLength(2);
  expect(await rig.ledger.attempts.recordFailure(rig.item(0, { redriveGeneration: 1 }), 1, FAILURE)).toHaveLength(1);
});

test.each([
  ["that is the first attempt", 0, 4],
  ["after a failure, which has to be added up", 1, 6],
])(
  "A success whose consumer dies at any write is completed by the next receive: one %s",
  async (_, failures, writes) => {
    for (let write = 0; write < writes; write++) {
      const rig = new LedgerRig();
      await rig.produced([1]);
      await rig.dyingAt(write, () => rig.succeed(rig.item(0), failures));
      if ((await rig.stateOf(rig.item(0))) === "settled")
        await rig.ledger.outcomes.rollUpAgain({ run: RUN, partition: 0, page: 0 });
      else await rig.succeed(rig.item(0), failures);
      expect(await rig.status()).toBe("completed");
      expect(await rig.counts()).toMatchObject({ succeeded: 1, retried: failures });
      expect(new Set(rig.announcements)).toEqual(new Set([RUN]));
    }
  },
);

describe("A run whose first block is full", () => {
  const pages = async (rig: LedgerRig, count: number, ended: boolean) => {
    await rig.produced(
      Array.from({ length: count }, () => 1),
      { ended },
    );
    for (let page = 0; page < Math.min(count, 1_000); page++) await rig.succeed(rig.item(0, { page }));
  };

  test("has not completed while its source may have more", async () => {
    const rig = new LedgerRig();
    await pages(rig, 1_000, false);
    expect(await rig.status()).toBe("running");
    await rig.checkpointed(await rig.runs.get(RUN), 0, { ended: true });
    expect(await rig.status()).toBe("completed");
  });

  test("has not completed while its second is pending", async () => {
    const rig = new LedgerRig();
    await pages(rig, 1_001, true);
    expect(await rig.status()).toBe("running");
    await rig.succeed(rig.item(0, { page: 1_000 }));
    expect(await rig.status()).toBe("completed");
    expect(await rig.counts()).toMatchObject({ produced: 1_001, succeeded: 1_001 });
  });
});
