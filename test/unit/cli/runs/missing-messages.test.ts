import { beforeEach, describe, expect, test } from "vitest";
import { messagesMayBeMissing } from "../../../../cli/runs/missing-messages.ts";
import type { Queue } from "../../../../shared/aws/queue.ts";
import { runKey } from "../../../../shared/ledger/keys.ts";
import { Ledger } from "../../../../shared/ledger/ledger.ts";
import type { Runs } from "../../../../shared/ledger/runs.ts";
import { MemoryStore } from "../../../helpers/memory-store.ts";

const DAY = 86_400_000;
const START = Date.parse("2026-11-27T08:00:00.000Z");

let now: number;
let store: MemoryStore;
let runs: Runs;
let messages: number;
const queue = {
  policy: async () => ({ retentionSeconds: 10 * 86_400, maxReceiveCount: 100 }),
  depth: async () => ({ visible: messages - 2, inFlight: 1, delayed: 1 }),
} as unknown as Queue;

/** A run with ten pending items. */
beforeEach(async () => {
  now = START;
  messages = 10;
  store = new MemoryStore();
  runs = new Ledger(store, () => now).runs;
  const run = await runs.create({ id: "r", workflow: "test", requestedAt: new Date(START).toISOString() });
  await new Ledger(store).pages.open({ run: "r", partition: 0, page: 0 }, { size: 10, digest: "d" });
  await runs.progress.checkpoint(run, { ...run.checkpoint, pages: 1, items: 10, ended: true });
});

const look = async (works = false) =>
  await messagesMayBeMissing({ runs, queue }, await runs.get("r"), { works, now: () => now });

describe("messages may be missing", () => {
  test("after a pause of half the retention period", async () => {
    await runs.pause("r");
    now += 5 * DAY - 1;
    expect(await look()).toBe(false);
    now += 1;
    expect(await look()).toBe(true);
    expect(await look(true)).toBe(true);
  });

  test("after a pause whose start is not known", async () => {
    await runs.pause("r");
    await store.update(runKey("r"), { remove: ["pausedAt"] });
    expect(await look()).toBe(true);
  });

  test("if the queue holds fewer messages than items are pending, and no other run is active", async () => {
    expect(await look()).toBe(false);
    messages = 9;
    expect(await look()).toBe(true);
    await runs.create({ id: "other", workflow: "test", requestedAt: new Date(START).toISOString() });
    expect(await look()).toBe(false);
  });

  test("not while the run is working", async () => {
    messages = 9;
    expect(await look(true)).toBe(false);
    await runs.progress.fail("r", "the source is gone");
    expect(await look(true)).toBe(true);
  });

  test("if they are known to be missing, until all are sent again", async () => {
    await runs.resends.request("r");
    expect(await look()).toBe(true);
    await runs.resends.fail("r", "the source has changed");
    expect(await look()).toBe(true);
  });
});

describe("if the queue's counts lag", () => {
  /** The answer, and how often the queue was checked again. Each check advances the clock. */
  async function lookOnAws(onSleep: (looks: number) => void = () => {}) {
    let looks = 0;
    let doubts = 0;
    const sleep = async (milliseconds: number) => {
      now += milliseconds;
      onSleep(++looks);
    };
    const options = { works: true, exactCounts: false, now: () => now, sleep, onDoubt: () => void doubts++ };
    await runs.progress.fail("r", "the source is gone");
    return { missing: await messagesMayBeMissing({ runs, queue }, await runs.get("r"), options), looks, doubts };
  }

  test("messages are missing only if the count is too low for 90 s", async () => {
    messages = 9;
    expect(await lookOnAws()).toEqual({ missing: true, looks: 9, doubts: 1 });
  });

  test("messages that are counted a minute late are not missing", async () => {
    messages = 9;
    const count = (looks: number) => {
      if (looks === 6) messages = 10;
    };
    expect(await lookOnAws(count)).toEqual({ missing: false, looks: 6, doubts: 1 });
  });

  test("no time is spent if the count is high enough", async () => {
    expect(await lookOnAws()).toEqual({ missing: false, looks: 0, doubts: 0 });
  });
});
