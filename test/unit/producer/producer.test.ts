import { describe, expect, test, vi } from "vitest";
import { type Cursor, items, PermanentError, SourceError, Throttled } from "../../../shared/index.ts";
import { startEntry } from "../../../shared/messages/control.ts";
import { partitioned } from "../../helpers/lanes-world.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { CONTROL_DEAD_LETTERS, ProducerWorld, REQUESTED_AT, RUN } from "../../helpers/producer-world.ts";

const done = { tag: "done" };
const range = (length: number) => Array.from({ length }, (_, index) => index);

/** A source of `count` pages of 50 items. It throws at the pages in `broken`, and awaits `between` before each page. */
const pagesOf50 = (pages: number, broken: (page: number) => boolean = () => false, between = async () => {}) => ({
  readPage: vi.fn(async (cursor: Cursor = 0) => {
    const page = Number(cursor);
    await between();
    if (broken(page)) throw new Error(`page ${page} is broken`);
    return { items: range(50).map((index) => page * 50 + index), next: page + 1 < pages ? page + 1 : undefined };
  }),
});

describe("a start", () => {
  test("reads nothing from the ledger before its first page is sent", async () => {
    const world = new ProducerWorld({ source: pagesOf50(3) });
    await world.startWithPage();
    expect(world.items).toHaveLength(50);
    expect(world.store.reads).toBe(0);
  });

  test("of a source with partitions does not ask how full the queue is", async () => {
    const world = new ProducerWorld({ source: partitioned({ a: [1] }) });
    const actions: string[] = [];
    world.sqs.before = (action) => void actions.push(action);
    await world.startWithPage();
    expect(actions).toEqual(["sendControl"]);
  });

  test("that SQS delivers twice as new reads no page after a deploy of a source without partitions", async () => {
    const before = new ProducerWorld({ source: partitioned({ a: [1] }) });
    await before.startWithPage();
    const after = new ProducerWorld({ source: items([1]) }, { runs: before.runs, ledger: before.ledger });
    await after.startWithPage();
    expect(after.messages).toEqual([]);
  });

  test("writes the run's row, sends its first page, and sends a continuation", async () => {
    const source = pagesOf50(3);
    const world = new ProducerWorld({ source }, { maxBacklog: 200 });

    expect(await world.startWithPage()).toEqual(done);

    expect(world.items).toHaveLength(50);
    expect(await world.run()).toMatchObject({
      status: "running",
      hop: 0,
      checkpoint: { pages: 1, items: 50, cursor: 1 },
    });
    expect(world.hops).toEqual([1]);
    await world.continue();
    expect(new Set(world.items)).toEqual(new Set(range(150)));
    expect(world.items).toHaveLength(150);
  });

  test("of a source with one page needs no continuation", async () => {
    const world = new ProducerWorld({ source: items(range(5)) });

    expect(await world.startWithPage()).toEqual(done);

    expect(world.items).toHaveLength(5);
    expect((await world.run()).checkpoint).toMatchObject({ pages: 1, items: 5, ended: true });
    expect(world.hops).toEqual([]);
  });

  test("of a source without an item completes its run", async () => {
    const world = new ProducerWorld({ source: items([]) });
    await world.startWithPage();
    expect(await world.run()).toMatchObject({ status: "completed", checkpoint: { pages: 0, items: 0, ended: true } });
    expect(world.hops).toEqual([]);
  });

  test("that lost its message leaves the continuation to another producer", async () => {
    const world = new ProducerWorld({ source: pagesOf50(3) });
    const lost = new AbortController();
    world.store.before = (operation, _, update) => {
      if (operation === "update" && update?.set?.checkpoints === 1) lost.abort();
    };
    const start = startEntry({ workflow: "test", run: RUN, requestedAt: "2026-01-01T00:00:00.000Z" });
    expect(await world.handle(start, 1, { lost: lost.signal })).toEqual({ tag: "left" });
    expect(world.hops).toEqual([]);
  });

  test("leaves a failed page to the continuation, which counts the failure", async () => {
    const world = new ProducerWorld({ source: pagesOf50(2, (page) => page === 0) });

    expect(await world.startWithPage()).toEqual(done);

    expect(await world.run()).toMatchObject({ status: "running", failedSlices: 0 });
    expect(world.logger.lines).toEqual(["warn: the first page could not be sent, the continuation tries again"]);
    expect(world.hops).toEqual([1]);
    expect(await world.continue()).toMatchObject({ tag: "wait" });
    expect(await world.run()).toMatchObject({ failedSlices: 1 });
  });

  test("leaves the first page to its continuation while the queue is full", async () => {
    const source = pagesOf50(2);
    const world = new ProducerWorld({ source }, { maxBacklog: 500 });
    world.sqs.depth = { visible: 500, inFlight: 0, delayed: 0 };

    expect(await world.startWithPage()).toEqual(done);

    expect(source.readPage).not.toHaveBeenCalled();
    expect(world.hops).toEqual([1]);
  });

  test("that is received again after its only page leaves it to a continuation to end the run", async () => {
    const world = new ProducerWorld({ source: items([]) });
    await world.startWithPage();
    await world.start();
    expect(world.hops).toEqual([1]);
  });

  test("that is not in its run's message group leaves the first page to its continuation", async () => {
    const world = new ProducerWorld({ source: items(range(5)) });
    const start = startEntry({ workflow: "test", run: RUN, requestedAt: REQUESTED_AT });
    await world.handle({ ...start, group: "test" });
    expect(world.messages).toEqual([]);
    expect(world.hops).toEqual([1]);
  });

  test("of a run that was already cancelled sends nothing", async () => {
    const source = pagesOf50(2);
    const world = new ProducerWorld({ source });
    await world.start();
    await world.runs.cancel(RUN);
    await world.startWithPage();
    expect(source.readPage).not.toHaveBeenCalled();
  });
});

test("a start that is received again writes the row, and sends one continuation for all its deliveries", async () => {
  const world = new ProducerWorld({ source: items(range(5)), limit: 3 });
  expect(await world.start()).toEqual(done);
  expect(await world.start()).toEqual(done);
  expect(await world.run()).toMatchObject({
    id: RUN,
    workflow: "test",
    status: "running",
    requestedAt: REQUESTED_AT,
    limit: 3,
  });
  expect(world.hops).toEqual([1, 1]);
  expect(new Set(world.sqs.control.map(({ deduplicationId }) => deduplicationId)).size).toBe(1);
  expect(world.sqs.control[0]?.group).toBe(RUN);
  expect(world.items).toEqual([]);
});

test("the limit of a start takes precedence over that of the workflow", async () => {
  const world = new ProducerWorld({ limit: 3 });
  await world.start(2);
  expect(await world.run()).toMatchObject({ limit: 2 });
});

test("a continuation reads the source to its end, and records the end", async () => {
  const world = new ProducerWorld({ source: items(range(450)) });
  await world.start();
  expect(await world.continue()).toEqual(done);
  expect([...world.items].sort((a, b) => Number(a) - Number(b))).toEqual(range(450));
  expect((await world.run()).checkpoint).toMatchObject({ pages: 4, items: 450, ended: true });
  expect(await world.run()).toMatchObject({ status: "running", failedSlices: 0 });
  expect(world.metrics.counts).toEqual({ produced: 450 });
  expect(world.hops).toEqual([1]);
});

test("a run without an item is completed by its producer", async () => {
  const world = new ProducerWorld({ source: items([]) });
  await world.start();
  await world.continue();
  expect(await world.run()).toMatchObject({ status: "completed", checkpoint: { pages: 0, items: 0, ended: true } });
});

test("a run whose items all become dead letters completes, too", async () => {
  const world = new ProducerWorld({ source: items([Number.NaN, Number.POSITIVE_INFINITY]) });
  await world.start();
  await world.continue();
  expect(await world.run()).toMatchObject({ status: "completed", totals: { dead: 2 } });
  expect(world.metrics.counts).toEqual({ produced: 2, deadLettered: 2 });
});

test("a malformed message goes unchanged to the control queue's dead-letter queue", async () => {
  const world = new ProducerWorld({});
  expect(await world.handle({ body: "hello", group: "any" })).toEqual({ tag: "done" });
  expect(world.sqs.control).toEqual([
    {
      queue: CONTROL_DEAD_LETTERS,
      body: "hello",
      attributes: { SluiceReason: { DataType: "String", StringValue: "malformed control message" } },
      group: "malformed",
      deduplicationId: "malformed-message",
    },
  ]);
});

describe("a slice whose time is over", () => {
  test("sends a continuation after the current page, and the next slice continues after it", async () => {
    const world = new ProducerWorld({ source: pagesOf50(3) });
    await world.start();
    for (const [hop, pages] of [
      [1, 1],
      [2, 2],
    ] as const) {
      expect(await world.continue(hop, 1, { sliceEnd: world.now })).toEqual(done);
      expect((await world.run()).checkpoint).toMatchObject({ pages, ended: false });
    }
    expect(world.hops).toEqual([1, 2, 3]);
    await world.continue(3, 1, { sliceEnd: world.now });
    // The last page ended the source, so there is no continuation.
    expect(world.hops).toEqual([1, 2, 3]);
    expect(world.items).toHaveLength(150);
    expect(new Set(world.items).size).toBe(150);
  });

  test("is not disturbed by a late duplicate of its continuation, which does nothing", async () => {
    const source = pagesOf50(3);
    const world = new ProducerWorld({ source });
    await world.start();
    await world.continue(1, 1, { sliceEnd: world.now });
    await world.continue(2, 1, { sliceEnd: world.now });
    source.readPage.mockClear();
    expect(await world.continue(1, 2)).toEqual(done);
    expect(source.readPage).not.toHaveBeenCalled();
    expect(world.items).toHaveLength(100);
  });

  test("and that died before it sent the continuation is repeated from its checkpoint", async () => {
    const world = new ProducerWorld({ source: pagesOf50(3) });
    await world.start();
    world.sqs.before = (action) => (action === "sendControl" ? Promise.reject(new Error("down")) : undefined);
    await expect(world.continue(1, 1, { sliceEnd: world.now })).rejects.toThrow("down");
    world.sqs.before = () => {};
    await world.continue(1, 2);
    expect(world.items).toHaveLength(150);
    expect(new Set(world.items).size).toBe(150);
  });
});

describe("a slice that another producer overtakes", () => {
  /** While this producer reads page 0, the other sends page 0 with other content. */
  const overtaken = (): ProducerWorld => {
    const world: ProducerWorld = new ProducerWorld({
      source: pagesOf50(
        3,
        () => false,
        async () => {
          const run = await world.run();
          if (run.checkpoint.count > 0) return;
          await world.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 1, digest: "other" });
          await world.runs.progress.checkpoint(run, { ...run.checkpoint, cursor: 1, pages: 1, items: 1 });
        },
      ),
    });
    return world;
  };

  test("sends nothing, and continues from the other producer's checkpoint a second later", async () => {
    const world = overtaken();
    await world.start();
    expect(await world.continue(1, 1, { sliceEnd: world.now })).toEqual({ tag: "wait", milliseconds: 1_000 });
    expect(world.items).toEqual([]);
    expect(world.hops).toEqual([1]);
    expect(await world.run()).toMatchObject({ failedSlices: 0, checkpoint: { count: 1, items: 1 } });
    expect(await world.continue(1, 2)).toEqual(done);
    expect((await world.run()).checkpoint).toMatchObject({ ended: true, items: 101 });
  });

  test("keeps its message, because the other producer may have lost its own and send no continuation", async () => {
    const lost = new AbortController();
    const gate = Promise.withResolvers<void>();
    let armed = false;
    let second: Promise<unknown> | undefined;
    const source = {
      async readPage(cursor: Cursor = 0) {
        if (cursor === 1 && second !== undefined) await gate.promise;
        else if (cursor === 1 && armed) {
          // The first producer's message has become visible. A second producer begins, and the first notices it two pages later.
          second = world.continue(1, 2);
          await vi.waitUntil(async () => (await world.run()).failedSlices === 2, { ...PATIENTLY, interval: 1 });
        }
        if (cursor === 3 && armed) lost.abort();
        return { items: [cursor], next: Number(cursor) < 3 ? Number(cursor) + 1 : undefined };
      },
    };
    const world: ProducerWorld = new ProducerWorld({ source });
    await world.start();
    await world.continue(1, 1, { sliceEnd: world.now });
    armed = true;
    expect(await world.continue(1, 1, { lost: lost.signal })).toEqual({ tag: "left" });
    expect((await world.run()).checkpoint).toMatchObject({ items: 3, ended: false });
    gate.resolve();
    expect(await second).toEqual({ tag: "wait", milliseconds: 1_000 });
    expect(await world.continue(1, 3)).toEqual(done);
    expect((await world.run()).checkpoint).toMatchObject({ items: 4, ended: true });
    const addresses = new Set(world.messages.map(({ page, index, epoch }) => `${page}/${index}/${epoch}`));
    expect([...addresses].sort()).toEqual(["0/0/1", "1/0/1", "2/0/1", "3/0/1"]);
  });
});

describe("a full queue", () => {
  test("makes the producer wait, without a failure, and continue when there is room", async () => {
    const world = new ProducerWorld({ source: pagesOf50(2) }, { maxBacklog: 500 });
    await world.start();
    world.sqs.depth = { visible: 300, inFlight: 150, delayed: 50 };
    expect(await world.continue()).toMatchObject({ tag: "wait", milliseconds: expect.any(Number) });
    expect(world.items).toEqual([]);
    expect(await world.run()).toMatchObject({ status: "running", failedSlices: 0 });
    expect(world.hops).toEqual([1]);
    // Room for one message suffices for a page.
    world.sqs.depth = { visible: 499, inFlight: 0, delayed: 0 };
    world.sqs.before = (action) => {
      if (action === "send") world.sqs.depth = { visible: 599, inFlight: 0, delayed: 0 };
    };
    expect(await world.continue(1, 2)).toMatchObject({ tag: "wait" });
    expect(world.items).toHaveLength(50);
    world.sqs.before = () => {};
    world.sqs.depth = { visible: 0, inFlight: 0, delayed: 0 };
    expect(await world.continue(1, 3)).toEqual(done);
    expect(world.items).toHaveLength(100);
  });

  describe("of messages of a paused run", () => {
    /** A paused run with this many pending items. */
    async function besidePaused(pending: number, maxBacklog: number) {
      const world = new ProducerWorld({ source: pagesOf50(4) }, { maxBacklog });
      const paused = await world.runs.create({ id: "paused", workflow: "test", requestedAt: REQUESTED_AT });
      await world.ledger.pages.open({ run: "paused", partition: 0, page: 0 }, { size: pending, digest: "d" });
      await world.runs.progress.checkpoint(paused, { cursor: 1, skip: 0, pages: 1, items: pending, ended: false });
      await world.runs.pause("paused");
      await world.start();
      world.sqs.control.length = 0;
      return world;
    }

    test("does not block another run, whose own messages may fill the queue", async () => {
      const world = await besidePaused(200, 120);
      const own = () => world.sqs.sentTo("https://sqs/queue").length;
      world.sqs.before = () => {
        world.sqs.depth = { visible: own(), inFlight: 200, delayed: 0 };
      };
      expect(await world.continue()).toMatchObject({ tag: "wait" });
      expect(world.items).toHaveLength(150);
      // They count again once the run is resumed.
      await world.runs.reopen("paused");
      const world2 = await besidePaused(200, 120);
      await world2.runs.reopen("paused");
      world2.sqs.depth = { visible: 200, inFlight: 0, delayed: 0 };
      expect(await world2.continue()).toMatchObject({ tag: "wait" });
      expect(world2.items).toEqual([]);
    });

    test("blocks it before SQS would deliver nothing any more, with a warning", async () => {
      const world = await besidePaused(200, 120);
      world.sqs.depth = { visible: 0, inFlight: 100_000, delayed: 0 };
      expect(await world.continue()).toMatchObject({ tag: "wait" });
      expect(world.items).toEqual([]);
      expect(world.logger.lines).toContainEqual(
        expect.stringMatching(/warn: the queue is full, .* paused runs: resume or cancel/),
      );
    });
  });

  test("is processed at a pace that the producer measures from pause to pause", async () => {
    const world = new ProducerWorld({ source: pagesOf50(8) }, { maxBacklog: 100 });
    await world.start();
    const seen = async (visible: number, afterSend = visible) => {
      world.sqs.depth = { visible, inFlight: 0, delayed: 0 };
      world.sqs.before = (action) => {
        if (action === "send") world.sqs.depth = { visible: afterSend, inFlight: 0, delayed: 0 };
      };
      return await world.continue();
    };
    // The pace of the consumers is unknown.
    expect(await seen(0, 100)).toEqual({ tag: "wait", milliseconds: 1_000 });
    world.now += 20_000;
    // 10 items in 20 s. An hour in which the run was paused must not count.
    expect(await seen(90, 140)).toEqual({ tag: "wait", milliseconds: 40_000 });
    world.now += 3_600_000;
    expect(await seen(150)).toEqual({ tag: "wait", milliseconds: 1_000 });
    world.now += 10_000;
    // 100 items in 10 s, and none was produced.
    expect(await seen(50, 100)).toEqual({ tag: "wait", milliseconds: 5_000 });
    expect((await world.run()).fullAt).toEqual({ at: world.now, produced: 200, backlog: 100 });
  });

  test("is asked for its depth once for as many messages as it had room for", async () => {
    const world = new ProducerWorld({ source: pagesOf50(20) }, { maxBacklog: 500 });
    await world.start();
    let asked = 0;
    world.sqs.before = (action) => void (action === "depth" && asked++);
    await world.continue();
    expect(world.items).toHaveLength(1_000);
    expect(asked).toBe(2);
  });

  test("waits any number of times, and its message is replaced by a new one well before the receive limit", async () => {
    const world = new ProducerWorld({ source: pagesOf50(1) }, { maxBacklog: 500 });
    await world.start();
    world.sqs.depth = { visible: 500, inFlight: 0, delayed: 0 };
    expect(await world.continue(1, 49)).toMatchObject({ tag: "wait" });
    expect(await world.continue(1, 50)).toEqual(done);
    expect(world.hops).toEqual([1, 2]);
  });
});

describe("a source that fails", () => {
  test("is tried again after a backoff that doubles, and fails the run the fifth time, its cursor kept", async () => {
    const world = new ProducerWorld({ source: pagesOf50(3, (page) => page === 2) });
    await world.start();
    // random is 0.5. The first slice sends two pages before it fails.
    const waits = [];
    for (const receive of [1, 2, 3, 4]) waits.push(await world.continue(1, receive));
    expect(waits).toEqual([500, 1_000, 2_000, 4_000].map((milliseconds) => ({ tag: "wait", milliseconds })));
    expect(await world.run()).toMatchObject({ status: "running", failedSlices: 4 });
    expect(await world.continue(1, 5)).toEqual(done);
    expect(world.metrics.counts).toMatchObject({ slicesFailed: 5 });
    expect(await world.run()).toMatchObject({
      status: "failed",
      failure: "the producer failed 5 times in a row: the source threw: page 2 is broken",
      checkpoint: { cursor: 2, skip: 0, pages: 2, items: 100, ended: false },
    });
    expect(world.items).toHaveLength(100);
  });

  test("and then recovers continues, and the next checkpoint resets the failures", async () => {
    let broken = true;
    const world = new ProducerWorld({ source: pagesOf50(3, (page) => page === 1 && broken) });
    await world.start();
    for (const receive of [1, 2, 3, 4]) await world.continue(1, receive);
    broken = false;
    expect(await world.continue(1, 5)).toEqual(done);
    expect(await world.run()).toMatchObject({ status: "running", failedSlices: 0, checkpoint: { ended: true } });
    expect(world.items).toHaveLength(150);
  });

  test("after progress each time never fails the run", async () => {
    let reads = 0;
    const world = new ProducerWorld({ source: pagesOf50(8, () => ++reads % 3 === 0) });
    await world.start();
    for (let receive = 1; receive <= 20 && !(await world.run()).checkpoint.ended; receive++) {
      await world.continue(1, receive);
      expect((await world.run()).status).toBe("running");
    }
    expect((await world.run()).checkpoint).toMatchObject({ ended: true, items: 400 });
  });

  test("can be resumed from its checkpoint", async () => {
    let broken = true;
    const world = new ProducerWorld({ source: pagesOf50(2, (page) => page === 1 && broken) });
    await world.start();
    for (let receive = 1; receive <= 5; receive++) await world.continue(1, receive);
    expect(await world.continue(1, 6)).toEqual(done);
    expect((await world.run()).status).toBe("failed");
    broken = false;
    const reopened = await world.runs.reopen(RUN);
    await world.continue((reopened?.hop ?? 0) + 1);
    expect(world.items).toHaveLength(100);
  });

  test("by hanging is abandoned when the invocation must end", async () => {
    const world = new ProducerWorld({ source: { readPage: () => new Promise<never>(() => {}) } });
    await world.start();
    const closing = new AbortController();
    const verdict = world.continue(1, 1, { signal: closing.signal });
    closing.abort();
    expect(await verdict).toMatchObject({ tag: "wait" });
    expect(await world.run()).toMatchObject({ failedSlices: 1, sliceError: expect.stringContaining("in time") });
  });

  test("by hanging when the process ends is left to another producer, and no failure counts", async () => {
    const signals: AbortSignal[] = [];
    const world = new ProducerWorld({
      source: {
        readPage: (_: unknown, { signal }: { signal: AbortSignal }) => {
          signals.push(signal);
          return new Promise<never>(() => {});
        },
      },
    });
    await world.start();
    const shutdown = new AbortController();
    const verdict = world.continue(1, 1, { shutdown: shutdown.signal });
    await vi.waitUntil(() => signals.length === 1, PATIENTLY);
    shutdown.abort();
    // The message is visible at once, so another producer can continue at once.
    expect(await verdict).toEqual({ tag: "wait", milliseconds: 0 });
    expect(signals[0]?.aborted).toBe(true);
    expect(await world.run()).toMatchObject({ status: "running", failedSlices: 0 });
    expect((await world.run()).sliceError).toBeUndefined();
  });

  test("is no failure even if the process ends again and again", async () => {
    const world = new ProducerWorld({ source: { readPage: () => new Promise<never>(() => {}) } });
    await world.start();
    for (let receive = 1; receive <= 10; receive++) {
      expect(await world.continue(1, receive, { shutdown: AbortSignal.abort() })).toMatchObject({ tag: "wait" });
    }
    expect(await world.run()).toMatchObject({ status: "running", failedSlices: 0 });
  });

  test("keeps its count when the process ends during a later slice", async () => {
    const world = new ProducerWorld({ source: pagesOf50(1, () => true) });
    await world.start();
    await world.continue(1, 1);
    await world.continue(1, 2, { shutdown: AbortSignal.abort() });
    expect(await world.run()).toMatchObject({ failedSlices: 1 });
  });

  test("with a page that cannot be sent is treated in the same way", async () => {
    const world = new ProducerWorld({ source: pagesOf50(1) });
    await world.start();
    world.sqs.refuses = () => true;
    expect(await world.continue()).toEqual({ tag: "wait", milliseconds: 500 });
    world.sqs.refuses = () => false;
    await world.continue(1, 2);
    expect(world.items).toHaveLength(50);
  });

  test("by throwing a value that is no error has a readable reason", async () => {
    const world = new ProducerWorld({ source: { readPage: () => Promise.reject(undefined) } });
    await world.start();
    await world.continue();
    expect(await world.run()).toMatchObject({ sliceError: expect.stringContaining("thrown: undefined") });
    const other = new ProducerWorld({ source: { readPage: () => Promise.reject(new SourceError("HTTP 503")) } });
    await other.start();
    await other.continue();
    expect(await other.run()).toMatchObject({ sliceError: "HTTP 503" });
  });
});

describe("a run that is continued by other code", () => {
  test("keeps the version of the code that began it, and says which other code worked on it", async () => {
    const source = pagesOf50(3);
    const first = new ProducerWorld({ source }, { codeVersion: "v1" });
    await first.start();
    expect(await first.run()).toMatchObject({ codeVersion: "v1", codeChange: undefined });
    const options = { runs: first.runs, ledger: first.ledger };
    const same = new ProducerWorld({ source }, { ...options, codeVersion: "v1" });
    await same.continue(1, 1, { sliceEnd: 0 });
    expect((await first.run()).codeChange).toBeUndefined();
    const other = new ProducerWorld({ source }, { ...options, codeVersion: "v2" });
    await other.continue(2);
    expect(await first.run()).toMatchObject({ codeVersion: "v1", codeChange: { version: "v2" } });
  });

  test("notes the other code once, with the time at which it began", async () => {
    const source = pagesOf50(3);
    const first = new ProducerWorld({ source }, { codeVersion: "v1" });
    await first.start();
    let notes = 0;
    first.store.before = (operation, _, update) => {
      if (operation === "update" && update?.set?.codeChange !== undefined) notes++;
    };
    const other = new ProducerWorld({ source }, { runs: first.runs, ledger: first.ledger, codeVersion: "v2" });
    for (const hop of [1, 2, 3]) await other.continue(hop, 1, { sliceEnd: 0 });
    expect(notes).toBe(1);
  });

  test("keeps the version of the other code if it is continued by code whose version is not known", async () => {
    const source = pagesOf50(3);
    const first = new ProducerWorld({ source }, { codeVersion: "v1" });
    await first.start();
    const options = { runs: first.runs, ledger: first.ledger };
    await new ProducerWorld({ source }, { ...options, codeVersion: "v2" }).continue(1, 1, { sliceEnd: 0 });
    await new ProducerWorld({ source }, options).continue(2);
    expect(await first.run()).toMatchObject({ codeChange: { version: "v2" } });
  });

  test("has no version if it began with code that had none", async () => {
    const source = pagesOf50(3);
    const first = new ProducerWorld({ source });
    await first.start();
    const other = new ProducerWorld({ source }, { runs: first.runs, ledger: first.ledger, codeVersion: "v2" });
    await other.continue(1);
    expect(await first.run()).toMatchObject({ codeVersion: undefined, codeChange: undefined });
  });
});

describe("a process that is about to end", () => {
  test("finishes the page that it sends, begins no other one, and passes on", async () => {
    const shutdown = new AbortController();
    const source = pagesOf50(
      4,
      () => false,
      async () => {
        // The second page is read ahead while the first one is sent.
        if (source.readPage.mock.calls.length === 2) shutdown.abort();
      },
    );
    const world = new ProducerWorld({ source });
    await world.start();
    const verdict = await world.continue(1, 1, { shutdown: shutdown.signal });
    expect(verdict).toEqual(done);
    expect(world.items).toHaveLength(50);
    expect(await world.run()).toMatchObject({ failedSlices: 0, checkpoint: { pages: 1, items: 50 } });
    expect(world.hops).toEqual([1, 2]);
  });

  test("does not sleep until the source may be read", async () => {
    let refuses = true;
    const world = new ProducerWorld(
      {
        source: {
          readPage: () => {
            if (refuses) throw new Throttled({ seconds: 10 });
            return { items: [1], next: undefined };
          },
        },
      },
      { sleep: (_, signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())) },
    );
    await world.start();
    const shutdown = new AbortController();
    const verdict = world.continue(1, 1, { shutdown: shutdown.signal });
    await vi.waitUntil(async () => (await world.run()).wait !== undefined, PATIENTLY);
    refuses = false;
    shutdown.abort();
    expect(await verdict).toEqual(done);
    expect(world.items).toEqual([]);
  });
});

describe("a source that fails permanently", () => {
  const permanently = { status: "failed", checkpoint: { pages: 0, ended: false } };

  test("by a cursor that JSON cannot hold fails the run at its first page, with nothing sent", async () => {
    const world = new ProducerWorld({ source: { readPage: () => ({ items: [1], next: new Date(0) as never }) } });
    expect(await world.startWithPage()).toEqual(done);
    expect(await world.run()).toMatchObject({
      ...permanently,
      failure: expect.stringContaining(
        'the ledger: cursor is the Date "1970-01-01T00:00:00.000Z", which JSON cannot hold',
      ),
    });
    expect(world.messages).toEqual([]);
    expect(world.hops).toEqual([]);
  });

  test("by a PermanentError is not read again, and can be resumed", async () => {
    let broken = true;
    const readPage = vi.fn(() => {
      if (broken) throw new PermanentError("the token was revoked");
      return { items: [1] };
    });
    const world = new ProducerWorld({ source: { readPage } });
    await world.start();
    expect(await world.continue()).toEqual(done);
    expect(readPage).toHaveBeenCalledOnce();
    expect(world.metrics.counts).toMatchObject({ slicesFailed: 1 });
    expect(await world.run()).toMatchObject({ ...permanently, failure: "the source threw: the token was revoked" });
    broken = false;
    const reopened = await world.runs.reopen(RUN);
    await world.continue((reopened?.hop ?? 0) + 1);
    expect(world.items).toEqual([1]);
  });
});

test("cursors that form a loop over slices of one page each fail the run", async () => {
  const readPage = vi.fn((cursor: Cursor = "a") => ({ items: [cursor], next: cursor === "a" ? "b" : "a" }));
  const world = new ProducerWorld({ source: { readPage } });
  await world.start();
  for (let hop = 1; (await world.run()).status === "running"; hop++) {
    expect(hop).toBeLessThan(20);
    await world.continue(hop, 1, { sliceEnd: world.now });
  }
  expect((await world.run()).failure).toContain("the source's cursors form a loop");
  expect(world.items.length).toBeLessThanOrEqual(4);
});

describe("a producer that dies", () => {
  test("again and again without progress fails its run", async () => {
    const source = pagesOf50(1);
    const world = new ProducerWorld({ source });
    await world.start();
    // The only write of a producer that dies in its slice.
    for (let crash = 0; crash < 5; crash++) await world.runs.progress.takeUp(RUN, 1);
    expect(await world.continue(1, 6)).toEqual(done);
    expect(source.readPage).not.toHaveBeenCalled();
    expect(await world.run()).toMatchObject({
      status: "failed",
      failure: "the producer failed 5 times in a row: it crashed, ran out of time or lost its control message",
    });
  });

  test("four times, and then works, does not fail its run", async () => {
    const world = new ProducerWorld({ source: pagesOf50(1) });
    await world.start();
    for (let crash = 0; crash < 4; crash++) await world.runs.progress.takeUp(RUN, 1);
    await world.continue(1, 5);
    expect(await world.run()).toMatchObject({ status: "running", failedSlices: 0, checkpoint: { ended: true } });
  });

  test("between sending a page and its checkpoint leaves this page and the next to be sent again, under the same numbers", async () => {
    const world = new ProducerWorld({ source: pagesOf50(3) });
    await world.start();
    let checkpoints = 0;
    world.store.before = (operation, key) => {
      // Taking up the run is the first write of its row, the checkpoint the second.
      if (operation === "update" && key?.sk === "run" && ++checkpoints === 2) throw new Error("died");
    };
    await world.continue();
    world.store.before = () => {};
    expect(world.items).toHaveLength(100);
    await world.continue(1, 2);
    expect((await world.run()).checkpoint).toMatchObject({ pages: 3, items: 150, ended: true });
    const again = world.messages.slice(100).map(({ page, epoch, resent = false }) => ({ page, epoch, resent }));
    const page = (page: number, resent: boolean) => Array.from({ length: 50 }, () => ({ page, epoch: 1, resent }));
    expect(again.sort((a, b) => a.page - b.page)).toEqual([...page(0, true), ...page(1, true), ...page(2, false)]);
  });

  test("before it closes the last block leaves a run that the next one completes", async () => {
    const world = new ProducerWorld({ source: items([1]) });
    await world.start();
    world.store.before = (operation, _, update) => {
      if (operation === "update" && update?.set?.size !== undefined && update.set.digest === undefined)
        throw new Error("died");
    };
    await world.continue();
    world.store.before = () => {};
    const [message] = world.messages;
    const successes = [{ index: 0, failures: 0, redriveGeneration: 0 }];
    await world.ledger.outcomes.recordSuccesses({
      run: RUN,
      partition: 0,
      page: 0,
      epoch: message?.epoch ?? 0,
      items: successes,
    });
    expect((await world.run()).status).toBe("running");
    await world.continue(1, 2);
    expect((await world.run()).status).toBe("completed");
  });

  test("after its last checkpoint leaves a run that the next one completes", async () => {
    const world = new ProducerWorld({ source: items([Number.NaN]) });
    await world.start();
    world.store.before = (operation, key) => {
      if (operation === "update" && key?.sk === "block") throw new Error("died");
    };
    await world.continue();
    world.store.before = () => {};
    await world.continue(1, 2);
    expect((await world.run()).status).toBe("completed");
  });
});

test("of two producers of one run, the one whose checkpoint is second stops", async () => {
  let race = true;
  const world: ProducerWorld = new ProducerWorld({
    source: {
      async readPage(cursor: Cursor = 0) {
        const page = Number(cursor);
        if (page === 2 && race) {
          race = false;
          await world.continue(1, 2);
        }
        return { items: [page], next: page < 5 ? page + 1 : undefined };
      },
    },
  });
  await world.start();
  expect(await world.continue()).toEqual(done);
  expect((await world.run()).checkpoint).toMatchObject({ ended: true, items: 6, pages: 6 });
  const addresses = new Set(world.messages.map(({ page, index, epoch }) => `${page}/${index}/${epoch}`));
  expect([...addresses].sort()).toEqual(["0/0/1", "1/0/1", "2/0/1", "3/0/1", "4/0/1", "5/0/1"]);
});

test("a run that has ended, or failed, is not continued", async () => {
  const source = pagesOf50(1);
  const world = new ProducerWorld({ source });
  await world.start();
  await world.runs.progress.fail(RUN, "for a test");
  expect(await world.continue()).toEqual(done);
  expect(source.readPage).not.toHaveBeenCalled();
});
