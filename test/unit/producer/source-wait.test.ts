import { describe, expect, test, vi } from "vitest";
import {
  type Cursor,
  checkResponse,
  httpPages,
  linkHeader,
  RetryLater,
  Throttled,
  type WorkflowOptions,
} from "../../../shared/index.ts";
import type { ProducerOptions } from "../../../shared/producer/context.ts";
import { ControlQueue } from "../../helpers/control-queue.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * A run whose source has four pages of an item, and throws what `refusal` gives for a read, by its number from 1 on.
 * `reads` tells when each page was asked for, in milliseconds after the run began.
 */
function runOf(refusal: (read: number) => unknown, options: Partial<ProducerOptions> = {}) {
  const reads: { readonly page: number; readonly at: number }[] = [];
  const slept: number[] = [];
  const sleep = async (milliseconds: number) => {
    slept.push(milliseconds);
    world.now += milliseconds;
  };
  const source: WorkflowOptions["source"] = {
    readPage: (cursor: Cursor = 0) => {
      const page = Number(cursor);
      reads.push({ page, at: world.now - begun });
      const thrown = refusal(reads.length);
      if (thrown !== undefined) throw thrown;
      return { items: [page], next: page < 3 ? page + 1 : undefined };
    },
  };
  const world: ProducerWorld = new ProducerWorld({ source }, { sleep, ...options });
  const begun = world.now;
  const queue = new ControlQueue(world);
  return { world, queue, reads, slept, begun };
}

const once = (read: number, error: () => unknown) => (each: number) => (each === read ? error() : undefined);

describe("a source whose service asks it to wait", () => {
  test.each([
    ["RetryLater", () => new RetryLater({ minutes: 20 })],
    ["Throttled", () => new Throttled({ minutes: 20 })],
    ["the value of a header", () => new Throttled("1200")],
    [
      "a response",
      () => {
        try {
          return checkResponse(new Response("", { status: 429, headers: { "retry-after": "1200" } }));
        } catch (thrown) {
          return thrown;
        }
      },
    ],
  ])("by %s is not read before that time, and continues from its cursor", async (_, error) => {
    const { world, queue, reads } = runOf(once(3, error));
    await world.start();
    await queue.workUntil();
    expect(reads.map(({ page }) => page)).toEqual([0, 1, 2, 2, 3]);
    expect(reads[2]?.at).toBe(0);
    expect(reads[3]?.at).toBe(1_200_000);
    expect(world.items).toEqual([0, 1, 2, 3]);
    expect(await world.run()).toMatchObject({ checkpoint: { ended: true }, wait: undefined, failedSlices: 0 });
    expect(world.metrics.counts.slicesFailed).toBeUndefined();
  });

  test("waits without a running function: its message is hidden for the whole time, and nothing sleeps", async () => {
    const { world, queue, slept } = runOf(once(2, () => new RetryLater({ hours: 2 })));
    await world.start();
    await queue.workUntil();
    expect(queue.hidden).toEqual(Array(8).fill(HOUR / 4));
    expect(slept).toEqual([]);
  });

  test("for longer than SQS can hide a message has its message hidden several times", async () => {
    const { world, queue, reads } = runOf(once(2, () => new RetryLater({ days: 2 })));
    await world.start();
    await queue.workUntil();
    expect(queue.hidden).toEqual(Array(2 * 24 * 4).fill(HOUR / 4));
    expect(reads[2]).toEqual({ page: 1, at: 2 * DAY });
    expect(world.items).toEqual([0, 1, 2, 3]);
  });

  test("for a few seconds waits inside the slice, which costs less than another invocation", async () => {
    const { world, queue, reads, slept } = runOf(once(2, () => new RetryLater({ seconds: 5 })));
    await world.start();
    await queue.workUntil();
    expect(slept).toEqual([5_000]);
    expect(queue.hidden).toEqual([]);
    expect(reads[2]).toEqual({ page: 1, at: 5_000 });
    expect(world.items).toEqual([0, 1, 2, 3]);
    expect(await world.run()).toMatchObject({ failedSlices: 0, wait: undefined });
  });

  test("at the first page waits, and the run's row is written", async () => {
    const { world, queue, reads } = runOf(once(1, () => new RetryLater({ minutes: 1 })));
    await world.startWithPage();
    expect(await world.run()).toMatchObject({ status: "running", failedSlices: 0, wait: { count: 1 } });
    await queue.workUntil();
    expect(reads.map(({ at }) => at)).toEqual([0, 60_000, 60_000, 60_000, 60_000]);
    expect(world.items).toEqual([0, 1, 2, 3]);
  });

  test("is not read earlier by its start, which is delivered as new again after a crash", async () => {
    const { world, queue, reads } = runOf(once(1, () => new RetryLater({ minutes: 1 })));
    await world.startWithPage();
    await world.startWithPage();
    expect(reads.map(({ at }) => at)).toEqual([0]);
    await queue.workUntil();
    expect(reads.map(({ at }) => at)).toEqual([0, 60_000, 60_000, 60_000, 60_000]);
    expect(world.items).toEqual([0, 1, 2, 3]);
  });

  test("again and again has no failed slices, and counts waits from zero after each page", async () => {
    const { world, queue, reads } = runOf((read) => (read % 2 === 0 ? new RetryLater({ minutes: 1 }) : undefined));
    await world.start();
    await queue.workUntil();
    expect(reads.map(({ page }) => page)).toEqual([0, 1, 1, 2, 2, 3, 3]);
    expect(await world.run()).toMatchObject({ status: "running", failedSlices: 0, checkpoint: { ended: true } });
  });

  test("keeps the count of slices that failed before", async () => {
    const { world } = runOf((read) => (read <= 2 ? new Error("down") : new RetryLater({ minutes: 1 })));
    await world.start();
    await world.continue(1, 1);
    await world.continue(1, 2);
    expect(await world.run()).toMatchObject({ failedSlices: 2 });
    expect(await world.continue(1, 3)).toEqual({ tag: "done" });
    expect(await world.run()).toMatchObject({ failedSlices: 2, wait: { count: 1 } });
    // A message that is received during the wait does not count either.
    expect(await world.continue(2, 1)).toEqual({ tag: "done" });
    expect(await world.run()).toMatchObject({ failedSlices: 2 });
  });

  test("shows the end of the wait, and what the service said", async () => {
    const { world, begun } = runOf(once(1, () => new Throttled({ hours: 1 }, { message: "GET … answered 429" })));
    await world.start();
    await world.continue();
    expect((await world.run()).wait).toEqual({
      until: begun + HOUR,
      since: begun,
      count: 1,
      reason: "GET … answered 429",
    });
    expect(world.logger.lines).toEqual(["warn: the service asked the source to wait"]);
  });

  test("without a time waits longer each time, up to 15 min", async () => {
    const { world, queue, reads } = runOf((read) => (read <= 12 ? new Throttled() : undefined));
    await world.start();
    await queue.workUntil();
    // random is 0.5: three quarters of 5 s, 10 s, ... The message is hidden for whole seconds.
    const pauses = reads.slice(1, 13).map(({ at }, index) => (at - (reads[index]?.at ?? 0)) / 1_000);
    expect(pauses).toEqual([3.75, 8, 15, 30, 60, 120, 240, 480, 675, 675, 675, 675]);
    expect(world.items).toEqual([0, 1, 2, 3]);
  });

  test("for a page that is read ahead counts its wait from the moment of the response", async () => {
    const { world, queue, reads } = runOf(once(2, () => new RetryLater({ minutes: 10 })));
    await world.start();
    // Sending the page before takes half of the wait.
    let sent = false;
    world.sqs.before = (action) => {
      if (action !== "send" || sent) return;
      sent = true;
      world.now += 5 * 60_000;
    };
    await queue.workUntil();
    expect(reads.map(({ page, at }) => [page, at])).toEqual([
      [0, 0],
      [1, 0],
      ...[1, 2, 3].map((page) => [page, 600_000]),
    ]);
  });
});

test.each([
  ["the start, which sends the first page", "startWithPage"],
  ["a continuation", "start"],
] as const)("a slice that fails after its source was told to wait reads no earlier: %s", async (_, begin) => {
  // The second page is read ahead, while the first one is sent.
  const { world, queue, reads, begun } = runOf(once(2, () => new RetryLater({ minutes: 20 })));
  world.sqs.refuses = (body) => JSON.parse(body).item === 0;
  await world[begin]();
  if (begin === "start") await queue.workUntil(begun);
  expect(reads).toHaveLength(2);
  world.sqs.refuses = () => false;
  await queue.workUntil();
  expect(reads[2]).toEqual({ page: 0, at: 20 * 60_000 });
  expect(world.items).toEqual([0, 1, 2, 3]);
});

describe("while its source waits, a run", () => {
  const waiting = async () => {
    const all = runOf(once(2, () => new RetryLater({ hours: 3 })));
    await all.world.start();
    await all.queue.workUntil(all.begun + HOUR);
    expect(all.reads).toHaveLength(2);
    return all;
  };

  test("is not read because of another message, even if the producer died before it deleted that message", async () => {
    const { world, queue, reads } = await waiting();
    for (const [hop, receives] of [
      [1, 2],
      [1, 3],
      [2, 1],
      [7, 1],
    ] as const) {
      expect(await world.continue(hop, receives)).toEqual({ tag: "done" });
    }
    expect(reads).toHaveLength(2);
    await queue.workUntil();
    expect(reads[2]?.at).toBe(3 * HOUR);
    expect(world.items).toEqual([0, 1, 2, 3]);
  });

  test("can be cancelled: its message group is free, and it ends at once", async () => {
    const { world, queue, reads, begun } = await waiting();
    expect(queue.groups).toEqual([`wait-${RUN}`]);
    await world.runs.cancel(RUN);
    await queue.continueRun();
    await queue.workUntil(begun + HOUR + 1_000);
    expect(await world.run()).toMatchObject({ status: "cancelling", checkpoint: { ended: true, items: 1 } });
    await queue.workUntil();
    expect(reads).toHaveLength(2);
  });

  test("ends although the worker that stopped it crashed before it told the producer", async () => {
    const { world, queue, reads, begun } = await waiting();
    await world.runs.cancel(RUN);
    await queue.workUntil(begun + HOUR + HOUR / 4);
    expect(await world.run()).toMatchObject({ status: "cancelling", checkpoint: { ended: true, items: 1 } });
    expect(queue.groups).toEqual([]);
    expect(reads).toHaveLength(2);
  });

  test("can be paused and resumed: the source is not read before that time", async () => {
    const { world, queue, reads, begun } = await waiting();
    await world.runs.pause(RUN);
    await queue.workUntil(begun + 2 * HOUR);
    await world.runs.reopen(RUN);
    await queue.continueRun();
    await queue.workUntil();
    expect(reads[2]?.at).toBe(3 * HOUR);
    expect(world.items).toEqual([0, 1, 2, 3]);
  });

  test("that is paused beyond the wait continues when it is resumed, and not before", async () => {
    const { world, queue, reads, begun } = await waiting();
    await world.runs.pause(RUN);
    await queue.workUntil(begun + 5 * HOUR);
    expect([reads.length, queue.groups]).toEqual([2, []]);
    await world.runs.reopen(RUN);
    await queue.continueRun();
    await queue.workUntil();
    expect(reads[2]?.at).toBe(5 * HOUR);
    expect(world.items).toEqual([0, 1, 2, 3]);
  });

  test("has its message replaced by a new one well before the queue's receive limit", async () => {
    const { world, queue } = await waiting();
    const entry = world.sqs.control.find(({ group }) => group === `wait-${RUN}`);
    if (entry === undefined) throw new Error("no message waits");
    expect(await world.handle(entry, 49)).toMatchObject({ tag: "wait" });
    const before = world.sqs.control.length;
    expect(await world.handle(entry, 50)).toEqual({ tag: "done" });
    const [fresh] = world.sqs.control.slice(before);
    expect(fresh).toMatchObject({ group: entry.group, body: entry.body });
    expect(fresh?.deduplicationId).not.toBe(entry.deduplicationId);
    await queue.workUntil();
    expect(world.items).toEqual([0, 1, 2, 3]);
  });

  test("keeps its wait although another producer is about to write a checkpoint", async () => {
    const all = runOf(once(2, () => new RetryLater({ hours: 3 })));
    const { world, queue, reads } = all;
    await world.start();
    const stale = await world.run();
    await queue.workUntil(all.begun + HOUR);
    const overtaken = await world.runs.progress.checkpoint(
      { ...stale, checkpoint: { ...stale.checkpoint, count: 1 } },
      { cursor: 1, skip: 0, pages: 1, items: 1, ended: false },
    );
    expect(overtaken).toBeUndefined();
    await queue.workUntil();
    expect(reads[2]?.at).toBe(3 * HOUR);
  });

  test("records the wait even if the response to that write is lost", async () => {
    const { world, queue, reads } = runOf(once(2, () => new RetryLater({ hours: 3 })));
    await world.start();
    const { update } = world.store;
    vi.spyOn(world.store, "update").mockImplementation(async (key, change) => {
      const row = await update.call(world.store, key, change);
      // The SDK sends the request again, and the condition no longer holds.
      return change.set?.waitUntil === undefined ? row : undefined;
    });
    await queue.workUntil();
    expect(reads.map(({ page }) => page)).toEqual([0, 1, 1, 2, 3]);
    expect(reads[2]?.at).toBe(3 * HOUR);
  });
});

describe("a wait beyond 8 days", () => {
  test("fails the run at once, and says when to resume it", async () => {
    const { world, queue, reads } = runOf(once(2, () => new RetryLater({ days: 30 }, { message: "quota" })));
    await world.start();
    await queue.workUntil();
    expect(reads).toHaveLength(2);
    expect(await world.run()).toMatchObject({
      status: "failed",
      failure:
        "the source asks to wait until 2026-01-31T00:00:01.000Z. A run waits for at most 192 h, and this run has waited " +
        "since 2026-01-01T00:00:01.000Z. The service said: quota. Resume the run after that time",
      checkpoint: { cursor: 1, items: 1 },
    });
    await world.runs.reopen(RUN);
    await queue.continueRun();
    await queue.workUntil();
    expect(world.items).toEqual([0, 1, 2, 3]);
  });

  test("beyond every date fails the run at once, too", async () => {
    const { world, queue } = runOf(once(2, () => new RetryLater({ days: 1e12 }, { message: "quota" })));
    await world.start();
    await queue.workUntil();
    expect(await world.run()).toMatchObject({
      status: "failed",
      failure: expect.stringMatching(
        /^the source asks to wait until 2125-\d\d-\d\dT.* quota\. Resume the run after that time$/,
      ),
    });
  });

  test("counts from the first wait since the last page, and starts again after a resume", async () => {
    const { world, queue, reads } = runOf(() => new RetryLater({ days: 3 }));
    await world.start();
    await queue.workUntil();
    expect(reads.map(({ at }) => at / DAY)).toEqual([0, 3, 6]);
    expect((await world.run()).status).toBe("failed");
    await world.runs.reopen(RUN);
    await queue.continueRun();
    await queue.workUntil();
    expect(reads.map(({ at }) => at / DAY)).toEqual([0, 3, 6, 6, 9, 12]);
  });
});

test("httpPages against a service that asks to wait: no request before that time, the fifth page of five is read", async () => {
  const requests: { readonly page: number; readonly at: number }[] = [];
  let refusals = 2;
  const fetch = async (url: URL) => {
    const page = Number(url.searchParams.get("page") ?? 1);
    requests.push({ page, at: world.now - begun });
    if (page === 2 && refusals-- > 0) {
      const reset = String(Math.floor(world.now / 1_000) + 40);
      const headers = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset };
      return Response.json({ message: "API rate limit exceeded" }, { status: 403, headers });
    }
    const link = page < 5 ? { link: `<https://api.example.com/items?page=${page + 1}>; rel="next"` } : undefined;
    return Response.json([page], link && { headers: link });
  };
  const source = httpPages(
    { url: "https://api.example.com/items", next: linkHeader, fetch: fetch as typeof globalThis.fetch },
    { now: () => world.now },
  );
  const world: ProducerWorld = new ProducerWorld({ source });
  const begun = world.now;
  await world.startWithPage();
  await new ControlQueue(world).workUntil();
  expect(requests.map(({ page, at }) => [page, at / 1_000])).toEqual([
    [1, 0],
    [2, 0],
    // The request was sent before the end of the slice, and refused again only after the first wait.
    [2, 40],
    [2, 80],
    [3, 80],
    [4, 80],
    [5, 80],
  ]);
  expect(world.items).toEqual([1, 2, 3, 4, 5]);
  expect(await world.run()).toMatchObject({ failedSlices: 0, checkpoint: { ended: true } });
});
