import { describe, expect, test, vi } from "vitest";
import { type Cursor, items, RetryLater } from "../../../shared/index.ts";
import { addressOf } from "../../../shared/messages/item-address.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

const done = { tag: "done" };

/** A source of three pages of 50 items. It calls a function when a page is read. */
const threePages = (onRead: (page: number) => unknown = () => {}) => ({
  readPage: vi.fn(async (cursor: Cursor = 0) => {
    const page = Number(cursor);
    await onRead(page);
    return {
      items: Array.from({ length: 50 }, (_, index) => page * 50 + index),
      next: page < 2 ? page + 1 : undefined,
    };
  }),
});

/** Cancels the items whose messages are on the queue, as consumers do. */
async function drain(world: ProducerWorld): Promise<void> {
  for (const { page, index, epoch } of world.messages) {
    await world.ledger.outcomes.recordCancelled({
      run: RUN,
      partition: 0,
      page,
      epoch,
      items: [{ index, redriveGeneration: 0 }],
    });
  }
}

const counts = async (world: ProducerWorld) => await world.runs.counts(await world.run());

/** A run that is stopped while its first items are sent. The page after them was refused, for an hour. */
async function refusedAhead(stop: "pause" | "cancel"): Promise<ProducerWorld> {
  const readPage = (cursor: Cursor | undefined) => {
    if (cursor !== undefined) throw new RetryLater({ hours: 1 });
    return { items: Array.from({ length: 600 }, (_, index) => index), next: 1 };
  };
  const world = new ProducerWorld({ source: { readPage } });
  await world.start();
  world.sqs.before = async (action) => {
    if (action === "send") await world.runs[stop](RUN);
  };
  await world.continue();
  expect(world.items.length).toBeLessThan(600);
  return world;
}

describe("a run that is paused", () => {
  test("before a slice is not read, and continues at its checkpoint when it is resumed", async () => {
    const source = threePages();
    const world = new ProducerWorld({ source });
    await world.start();
    await world.runs.pause(RUN);
    expect(await world.continue()).toEqual(done);
    expect(source.readPage).not.toHaveBeenCalled();
    const resumed = await world.runs.reopen(RUN);
    expect(await world.continue((resumed?.hop ?? 0) + 1)).toEqual(done);
    expect(world.items).toHaveLength(150);
  });

  test("between pages stops after the current page, without a continuation, and no item is sent twice", async () => {
    let reads = 0;
    const source = threePages((page) => page === 1 && reads++ === 0 && world.runs.pause(RUN));
    const world: ProducerWorld = new ProducerWorld({ source });
    await world.start();
    expect(await world.continue()).toEqual(done);
    const sent = world.items.length;
    expect(sent).toBeLessThan(150);
    expect(await world.run()).toMatchObject({
      status: "paused",
      failedSlices: 0,
      checkpoint: { items: sent, ended: false },
    });
    expect(world.hops).toEqual([1]);
    const resumed = await world.runs.reopen(RUN);
    await world.continue((resumed?.hop ?? 0) + 1);
    expect(world.items).toHaveLength(150);
    expect(new Set(world.items).size).toBe(150);
  });

  test("while the page that is read ahead was refused keeps the wait", async () => {
    const world = await refusedAhead("pause");
    expect(await world.run()).toMatchObject({ status: "paused", wait: { until: world.now + 3_600_000 } });
  });

  test("while its producer waits for room sends no continuation", async () => {
    const world = new ProducerWorld({ source: threePages() }, { maxBacklog: 500 });
    await world.start();
    world.sqs.depth = { visible: 500, inFlight: 0, delayed: 0 };
    expect(await world.continue()).toMatchObject({ tag: "wait" });
    await world.runs.pause(RUN);
    expect(await world.continue(1, 2)).toEqual(done);
    expect(world.hops).toEqual([1]);
  });
});

describe("a run that is cancelled", () => {
  test("before its first page ends at once, without items", async () => {
    const source = threePages();
    const world = new ProducerWorld({ source });
    await world.start();
    await world.runs.cancel(RUN);
    expect(await world.continue()).toEqual(done);
    expect(source.readPage).not.toHaveBeenCalled();
    expect(await world.run()).toMatchObject({ status: "cancelled", checkpoint: { ended: true, items: 0 } });
    expect(await counts(world)).toMatchObject({ produced: 0, succeeded: 0, dead: 0, cancelled: 0, pending: 0 });
  });

  test("between slices ends once the produced items are cancelled", async () => {
    const source = threePages();
    const world = new ProducerWorld({ source });
    await world.start();
    await world.continue(1, 1, { sliceEnd: world.now });
    await world.runs.cancel(RUN);
    source.readPage.mockClear();
    expect(await world.continue(2)).toEqual(done);
    expect(source.readPage).not.toHaveBeenCalled();
    expect(await world.run()).toMatchObject({ status: "cancelling", checkpoint: { ended: true, items: 50 } });
    await drain(world);
    expect((await world.run()).status).toBe("cancelled");
    expect(await counts(world)).toMatchObject({ produced: 50, succeeded: 0, cancelled: 50, pending: 0 });
  });

  test("between pages stops after the current page", async () => {
    const world: ProducerWorld = new ProducerWorld({
      source: threePages((page) => page === 1 && world.runs.cancel(RUN)),
    });
    await world.start();
    expect(await world.continue()).toEqual(done);
    const produced = world.items.length;
    expect(produced).toBeLessThan(150);
    expect(await world.run()).toMatchObject({ status: "cancelling", checkpoint: { ended: true, items: produced } });
    expect(world.hops).toEqual([1]);
    await drain(world);
    expect((await world.run()).status).toBe("cancelled");
    expect(await counts(world)).toMatchObject({ produced, cancelled: produced, pending: 0 });
  });

  test("while the page that is read ahead was refused waits no more", async () => {
    const world = await refusedAhead("cancel");
    expect(await world.run()).toMatchObject({ status: "cancelling", wait: undefined, checkpoint: { ended: true } });
  });

  test("while its last page is sent has read its source to the end", async () => {
    const world: ProducerWorld = new ProducerWorld({ source: items([1, 2, 3]) });
    await world.start();
    world.sqs.before = async (action) => {
      if (action === "send") await world.runs.cancel(RUN);
    };
    await world.continue();
    await drain(world);
    expect((await world.run()).status).toBe("cancelled");
    expect(await counts(world)).toMatchObject({ produced: 3, cancelled: 3 });
  });

  test.each([0, 4])("with a page without a checkpoint counts that page, %i of its messages sent", async (sent) => {
    const world = new ProducerWorld({ source: items([..."abcdefghijklmn"]) });
    await world.start();
    let batches = 0;
    world.sqs.before = (action) => {
      if (action === "send" && (sent === 0 || ++batches > 1)) throw new Error("died");
    };
    expect(await world.continue()).toMatchObject({ tag: "wait" });
    world.sqs.before = () => {};
    // One of the sent items has succeeded.
    const [message] = world.messages;
    if (message !== undefined) {
      const { page, epoch, index } = message;
      await world.ledger.outcomes.recordSuccesses({
        run: RUN,
        partition: 0,
        page,
        epoch,
        items: [{ index, failures: 0, redriveGeneration: 0 }],
      });
    }
    expect(message === undefined).toBe(sent === 0);
    await world.runs.cancel(RUN);
    expect(await world.continue(1, 2)).toEqual(done);
    const succeeded = message === undefined ? 0 : 1;
    expect(await world.run()).toMatchObject({
      status: "cancelled",
      checkpoint: { ended: true, pages: 1, items: 14 },
    });
    expect(await counts(world)).toMatchObject({
      produced: 14,
      succeeded,
      dead: 0,
      cancelled: 14 - succeeded,
      pending: 0,
    });
  });

  test("whose producer dies while it ends the run is ended by the next producer", async () => {
    const world = new ProducerWorld({ source: items([1, 2, 3]) });
    await world.start();
    world.sqs.before = (action) => (action === "send" ? Promise.reject(new Error("down")) : undefined);
    await world.continue();
    world.sqs.before = () => {};
    await world.runs.cancel(RUN);
    for (let write = 1; write <= 8; write++) {
      let writes = 0;
      world.store.before = (operation) => {
        if (operation === "update" && ++writes > write) throw new Error("died");
      };
      await world.continue(1, 2).catch(() => {});
    }
    world.store.before = () => {};
    await world.continue(1, 3);
    expect((await world.run()).status).toBe("cancelled");
    expect(await counts(world)).toMatchObject({ produced: 3, cancelled: 3, pending: 0 });
  });

  test("after its source has ended needs no producer", async () => {
    const world = new ProducerWorld({ source: items([1, 2, 3]) });
    await world.start();
    await world.continue();
    await world.runs.cancel(RUN);
    expect(await world.continue(2)).toEqual(done);
    expect((await world.run()).status).toBe("cancelling");
    await drain(world);
    expect((await world.run()).status).toBe("cancelled");
  });
});

describe("a run in which more items cannot be sent than are tolerated", () => {
  test("is stopped after the current pages, with its reason", async () => {
    const bad = [Number.NaN, Number.POSITIVE_INFINITY];
    const world = new ProducerWorld({
      source: { readPage: async (cursor: Cursor = 0) => ({ items: [...bad, cursor], next: Number(cursor) + 1 }) },
      toleratedFailures: { count: 3 },
    });
    await world.start();
    expect(await world.continue()).toEqual(done);
    expect(await world.run()).toMatchObject({
      status: "failing",
      failure: "4 items died, more than the 3 that are tolerated",
      checkpoint: { ended: true, pages: 3, items: 9 },
    });
    await drain(world);
    expect((await world.run()).status).toBe("failed");
    expect(await counts(world)).toMatchObject({ produced: 9, dead: 6, cancelled: 3, succeeded: 0, pending: 0 });
  });

  test("in its last page is stopped, too, and its sent items are cancelled", async () => {
    const world = new ProducerWorld({
      source: items([Number.NaN, Number.POSITIVE_INFINITY, 3, 4]),
      toleratedFailures: { count: 1 },
    });
    await world.start();
    await world.continue();
    expect(await world.run()).toMatchObject({ status: "failing", checkpoint: { ended: true, items: 4 } });
    await drain(world);
    expect((await world.run()).status).toBe("failed");
  });
});

describe("an item that cannot be sent, whose producer dies, of a run that is cancelled", () => {
  const page = [Number.NaN, "good"];
  const dies = () => {
    throw new Error("the producer died");
  };

  test.each([
    ["before its death is claimed", "dying", { dead: 0, cancelled: 2 }],
    ["before its death is recorded, its dead letter sent", "dead: invalid item", { dead: 1, cancelled: 1 }],
  ])("%s, is either dead with a dead letter or cancelled without one", async (_, attribute, ended) => {
    const world = new ProducerWorld({ source: items(page) });
    await world.start();
    world.store.before = (operation, _key, update) => {
      if (operation === "update" && update?.add?.[attribute] !== undefined) dies();
    };
    await world.continue();
    world.store.before = () => {};
    await world.runs.cancel(RUN);
    expect(await world.continue()).toEqual(done);
    await drain(world);
    expect(await counts(world)).toMatchObject({ produced: 2, succeeded: 0, pending: 0, ...ended });
    expect((await world.run()).status).toBe("cancelled");
    const bodies = new Set(world.deadLetters.map(({ index, item }) => `${index} ${item}`));
    expect([...bodies]).toEqual(ended.dead === 1 ? ["0 NaN"] : []);
  });

  test("after its death is claimed and before its dead letter is sent, is dead with the dead letter of the claim", async () => {
    const world = new ProducerWorld({ source: items(page) });
    await world.start();
    world.sqs.refuses = (body) => JSON.parse(body).dead !== undefined;
    await world.continue();
    expect(world.deadLetters).toEqual([]);
    world.sqs.refuses = () => false;
    await world.runs.cancel(RUN);
    expect(await world.continue()).toEqual(done);
    await drain(world);
    expect(await counts(world)).toMatchObject({ produced: 2, dead: 1, cancelled: 1, pending: 0 });
    expect(world.deadLetters).toMatchObject([
      {
        index: 0,
        item: "NaN",
        dead: {
          reason: "invalid item",
          truncated: true,
          failures: [{ message: expect.stringContaining("it is NaN") }],
        },
      },
    ]);
  });
});

describe("items that wait for hours, of a run that is cancelled", () => {
  const HOUR = 3_600_000;

  /** Three pages with waiting items. The messages of these items are hidden. */
  async function waiting(milliseconds: (item: number) => number | undefined) {
    const world = new ProducerWorld({ source: threePages() });
    await world.start();
    await world.continue();
    for (const envelope of world.messages) {
      const wait = milliseconds(Number(envelope.item));
      if (wait === undefined) continue;
      const note = { at: new Date(world.now).toISOString(), name: "RetryLater", message: "later", milliseconds: wait };
      const times = { startedAt: world.now, endedAt: world.now };
      const item = addressOf(envelope);
      const before = { failures: [], final: undefined, receives: new Map() };
      const bounds = { atMostMilliseconds: 24 * HOUR, isSuspect: false };
      await world.ledger.attempts.recordWait(item, { kind: "retryLater", note, receive: 1, ...times }, before, bounds);
    }
    return world;
  }

  test("are cancelled at once, and the others when their messages are received", async () => {
    const world = await waiting((item) => (item < 140 ? 3 * HOUR : item < 145 ? 5_000 : undefined));
    await world.runs.cancel(RUN);
    expect(await world.continue(2)).toEqual(done);
    expect(await counts(world)).toMatchObject({ cancelled: 140, pending: 10 });
    expect((await world.run()).status).toBe("cancelling");
    await drain(world);
    expect((await world.run()).status).toBe("cancelled");
    expect(await counts(world)).toMatchObject({ produced: 150, succeeded: 0, dead: 0, cancelled: 150, pending: 0 });
    expect(world.deadLetters).toEqual([]);
  });

  test("do not delay the end of the run", async () => {
    const world = await waiting(() => 3 * HOUR);
    await world.runs.cancel(RUN);
    await world.continue(2);
    expect((await world.run()).status).toBe("cancelled");
  });

  test("are not cancelled if their wait is over, because their attempts may be running", async () => {
    const world = await waiting(() => 3 * HOUR);
    world.now += 3 * HOUR;
    await world.runs.cancel(RUN);
    await world.continue(2);
    expect(await counts(world)).toMatchObject({ cancelled: 0, pending: 150 });
  });

  test("are searched by the next slice if one slice is not enough, or by the producer that has the message", async () => {
    const world = await waiting(() => 3 * HOUR);
    await world.runs.cancel(RUN);
    const lost = new AbortController();
    lost.abort();
    expect(await world.continue(2, 1, { lost: lost.signal })).toEqual({ tag: "left" });
    for (const time of [{ sliceEnd: world.now }, { shutdown: lost.signal }, { signal: lost.signal }]) {
      expect(await world.continue(2, 2, time)).toEqual(done);
      expect(world.hops.at(-1)).toBe(3);
      expect(await counts(world)).toMatchObject({ cancelled: 0 });
    }
    expect(await world.continue(3)).toEqual(done);
    expect((await world.run()).status).toBe("cancelled");
  });
});
