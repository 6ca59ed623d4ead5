import { expect, test } from "vitest";
import type { Key, Update } from "../../../shared/aws/table.ts";
import type { WaitRecord } from "../../../shared/base/waits.ts";
import { readAttemptsRow } from "../../../shared/ledger/attempts-row.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { attemptsKey, type ItemAddress } from "../../../shared/messages/item-address.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { FAILURE } from "../../helpers/ledger-rig.ts";

const ITEM: ItemAddress = { run: "run", partition: 0, page: 3, index: 7, epoch: 1, redriveGeneration: 2 };
const HOUR = 3_600_000;
const LIMIT = { atMostMilliseconds: 24 * HOUR, isSuspect: false };

const wait = (receive: number, endedAt = receive * 10_000, milliseconds = 5_000): WaitRecord => ({
  kind: "retryLater",
  note: { at: new Date(endedAt).toISOString(), name: "RetryLater", message: `wait ${receive}`, milliseconds },
  receive,
  startedAt: endedAt - 100,
  endedAt,
});

function ledger() {
  const store = new FaultyStore();
  const { attempts } = new Ledger(store);
  const row = async (item = ITEM) => readAttemptsRow(await store.get(attemptsKey(item)), item.redriveGeneration);
  /** What an update writes, in order. */
  const updates: Update[] = [];
  store.before = (operation: string, _?: Key, update?: Update) => {
    if (operation === "update" && update !== undefined) updates.push(update);
  };
  return { store, attempts, row, updates };
}

const NOTHING = readAttemptsRow(undefined, ITEM.redriveGeneration);

test("an item without a row has no attempts, no receives and no waits", () => {
  expect(NOTHING).toEqual({ failures: [], final: undefined, receives: new Map() });
});

test("a failure is returned with the earlier ones in the order of their receives, and tells why it was the last", async () => {
  const { attempts, row } = ledger();
  const failure = (attempt: number) => ({ ...FAILURE, attempt });
  expect(await attempts.recordFailure(ITEM, 11, failure(2))).toEqual([failure(2)]);
  expect((await row()).final).toBeUndefined();
  // Receive 2 comes before receive 11, and another generation does not matter.
  await attempts.recordFailure({ ...ITEM, redriveGeneration: 1 }, 5, failure(9));
  expect(await attempts.recordFailure(ITEM, 2, failure(1), "exhausted")).toEqual([failure(1), failure(2)]);
  expect(await row()).toMatchObject({
    final: "exhausted",
    receives: new Map([
      [2, "failed"],
      [11, "failed"],
    ]),
  });
});

test.each([true, false])(
  "a receive that has a failure is failed, whatever its mark is (mark first: %s)",
  async (first) => {
    const { attempts, row } = ledger();
    if (first) await attempts.recordReceive(ITEM, 4, "isolated");
    await attempts.recordFailure(ITEM, 4, FAILURE);
    if (!first) await attempts.recordReceive(ITEM, 4, "isolated");
    await attempts.recordReceive(ITEM, 5, "alone");
    expect((await row()).receives).toEqual(
      new Map([
        [4, "failed"],
        [5, "alone"],
      ]),
    );
  },
);

test("waits are added up, account for their receives, and remove the marks that are no longer needed", async () => {
  const { attempts, row } = ledger();
  await attempts.recordReceive(ITEM, 1, "returned");
  await attempts.recordReceive(ITEM, 2, "isolated");
  await attempts.recordReceive(ITEM, 3, "alone");
  const first = await attempts.recordWait(ITEM, wait(3), await row(), LIMIT);
  expect(first).toMatchObject({ exceeds: false, waits: { until: 35_000, receive: 3, retryLater: { count: 1 } } });
  const after = await row();
  expect(after).toEqual({
    failures: [],
    final: undefined,
    // The attempt of receive 2 may have ended its environment, so its mark stays.
    receives: new Map([[2, "isolated"]]),
    accountedTo: 3,
    waits: first.waits,
  });
  const second = await attempts.recordWait(ITEM, wait(6), after, LIMIT);
  expect(second.waits.retryLater).toMatchObject({
    count: 2,
    first: { message: "wait 3" },
    last: { message: "wait 6" },
  });
  expect(await row()).toMatchObject({ accountedTo: 6, waits: second.waits });
});

test("a wait beyond the limit is counted, and is the last", async () => {
  const { attempts, row } = ledger();
  const limit = { atMostMilliseconds: 4_999, isSuspect: false };
  expect(await attempts.recordWait(ITEM, wait(1), NOTHING, limit)).toMatchObject({
    exceeds: true,
    waits: { retryLater: { count: 1 } },
  });
  expect((await row()).final).toBe("waited too long");
});

test("a wait of another message of the item is kept, and both are counted", async () => {
  const { attempts, row } = ledger();
  // Both messages were looked up before either wait was recorded.
  await attempts.recordWait(ITEM, wait(1), NOTHING, LIMIT);
  const both = await attempts.recordWait(ITEM, wait(2), NOTHING, LIMIT);
  expect(both).toMatchObject({ exceeds: false, waits: { retryLater: { count: 2 }, receive: 2 } });
  expect((await row()).waits).toEqual(both.waits);
});

test.each([
  [24 * HOUR, false],
  [4_999, true],
])("a wait whose response was lost is not counted twice (limit %s ms)", async (atMostMilliseconds, exceeds) => {
  const { attempts, row, updates } = ledger();
  const limit = { atMostMilliseconds, isSuspect: false };
  const { waits } = await attempts.recordWait(ITEM, wait(1), NOTHING, limit);
  const written = updates.length;
  expect(await attempts.recordWait(ITEM, wait(1), NOTHING, limit)).toEqual({ waits, exceeds });
  expect(updates).toHaveLength(written + 1);
  expect((await row()).waits).toEqual(waits);
});

test("a wait that meets another one each time is tried ten times", async () => {
  const { store, attempts } = ledger();
  let tries = 0;
  let isOther = false;
  store.before = async (operation) => {
    if (operation !== "update" || isOther) return;
    tries++;
    isOther = true;
    const known = readAttemptsRow(await store.get(attemptsKey(ITEM)), ITEM.redriveGeneration);
    await attempts.recordWait(ITEM, wait(100 + tries), known, LIMIT);
    isOther = false;
  };
  await expect(attempts.recordWait(ITEM, wait(1), NOTHING, LIMIT)).rejects.toThrow(/item 7 of page 3 of run run/);
  expect(tries).toBe(10);
});

test.each([
  [true, false],
  [false, true],
])("a suspect stays one when its receives are accounted for (now: %s, before: %s)", async (now, before) => {
  const { attempts, row } = ledger();
  if (before) await attempts.recordReplacement(ITEM, 1, NOTHING, true);
  await attempts.recordWait(ITEM, wait(2), await row(), { ...LIMIT, isSuspect: now });
  expect((await row()).suspect).toBe(true);
  await attempts.recordWait(ITEM, wait(3), await row(), LIMIT);
  expect((await row()).suspect).toBe(true);
});

test("an item that is no suspect does not become one", async () => {
  const { attempts, row } = ledger();
  await attempts.recordReplacement(ITEM, 4, NOTHING, false);
  expect(await row()).toEqual({ ...NOTHING, accountedTo: 4 });
});

test("a replaced message accounts for all its receives, and for no fewer than were accounted for", async () => {
  const { attempts, row } = ledger();
  await attempts.recordReplacement(ITEM, 9, NOTHING, false);
  // A copy of the message with fewer receives.
  await attempts.recordReplacement(ITEM, 4, await row(), false);
  expect((await row()).accountedTo).toBe(9);
});

test("a replacement removes all marks of returned messages, as many in one write as DynamoDB allows", async () => {
  const { attempts, row, updates } = ledger();
  for (let receive = 1; receive <= 250; receive++) await attempts.recordReceive(ITEM, receive, "returned");
  await attempts.recordReceive(ITEM, 251, "alone");
  updates.length = 0;
  await attempts.recordReplacement(ITEM, 252, await row(), false);
  expect(updates.map(({ remove }) => remove?.length)).toEqual([100, 100, 50]);
  expect(await row()).toEqual({ ...NOTHING, accountedTo: 252, receives: new Map([[251, "alone"]]) });
});

test("the dead letter of an item that cannot be sent is kept with its reason", async () => {
  const { attempts, row } = ledger();
  await attempts.recordDeadLetter(ITEM, "too large", "{}");
  expect(await row()).toEqual({ ...NOTHING, final: "too large", deadLetter: "{}" });
  expect(await row({ ...ITEM, redriveGeneration: 3 })).toEqual(NOTHING);
});

test("what belongs to another generation, and what is of another type, is not read", () => {
  const others = { "accounted 1": 3, "suspect 1": true, "waits 1": {}, "dead letter 1": "x", "final 1": "exhausted" };
  expect(readAttemptsRow({ pk: "p", sk: "s", ...others }, 2)).toEqual(NOTHING);
  const odd = { "accounted 2": "3", "suspect 2": "yes", "dead letter 2": 1, "xfailure 2.1": {}, "failure 2.1x": {} };
  expect(readAttemptsRow({ pk: "p", sk: "s", ...odd }, 2)).toEqual(NOTHING);
});
