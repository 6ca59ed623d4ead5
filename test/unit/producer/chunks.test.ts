import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { getEventListeners } from "node:events";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SourceError } from "../../../shared/base/errors.ts";
import { SOURCE_CHANNEL, type SourceEvent } from "../../../shared/base/events.ts";
import type { Cursor, Page, Source } from "../../../shared/index.ts";
import { type Chunk, chunks } from "../../../shared/producer/chunks.ts";
import { textOf } from "../../../shared/producer/serialised.ts";
import { toSource } from "../../../shared/sources/source.ts";

const START = { cursor: undefined, skip: 0, items: 0 } as const;
const idle = (signal = new AbortController().signal) => ({ signal, warn: () => {}, now: () => 0, onWait: () => {} });
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A source of these pages, whose cursor is the page's number. */
function pagesOf(pages: readonly (readonly unknown[])[], onRead: (page: number) => void = () => {}): Source {
  return toSource({
    readPage(cursor: Cursor = 0): Page {
      const number = Number(cursor);
      onRead(number);
      return { items: pages[number] ?? [], next: number + 1 < pages.length ? number + 1 : undefined };
    },
  });
}

const range = (length: number, from = 0) => Array.from({ length }, (_, index) => from + index);
const sizes = (all: readonly { readonly items: readonly unknown[] }[]) => all.map(({ items }) => items.length);

const withoutLoop = ({ loop: _, ...after }: Chunk["after"]) => after;

/** Chunks with their items as they were before. */
async function read(source: Source, from: Parameters<typeof chunks>[1] = START, limit?: number) {
  const all = [];
  for await (const { items, after } of chunks(source, from, { limit, ...idle() })) {
    all.push({ items: items.map((item): unknown => JSON.parse(textOf(item))), after });
  }
  return all;
}

describe("the events of the source", () => {
  const reads = new Set<object>();
  let begun = 0;
  const listener = (message: unknown) => {
    const { event, read } = message as SourceEvent;
    if (event === "read") reads.delete(read);
    else {
      begun++;
      reads.add(read);
    }
  };
  beforeEach(() => {
    begun = 0;
    subscribe(SOURCE_CHANNEL, listener);
  });
  afterEach(() => {
    unsubscribe(SOURCE_CHANNEL, listener);
    reads.clear();
  });

  test("say when each page begins to be read and when it is read", async () => {
    const during: number[] = [];
    await read(pagesOf([[1], [2], [3]], () => during.push(reads.size)));
    expect(during).toEqual([1, 1, 1]);
    expect([begun, reads.size]).toEqual([3, 0]);
  });

  test("end a read that fails, and one that is abandoned", async () => {
    const failing = toSource({ readPage: () => Promise.reject(new Error("broken")) });
    await expect(read(failing)).rejects.toThrow("broken");
    expect([begun, reads.size]).toEqual([1, 0]);

    const hanging = toSource({ readPage: () => new Promise<never>(() => {}) });
    const abort = new AbortController();
    const reading = chunks(hanging, START, idle(abort.signal)).next();
    await turn();
    expect(reads.size).toBe(1);
    abort.abort();
    await expect(reading).rejects.toThrow("in time");
    expect(reads.size).toBe(0);
  });
});

describe("a source that returns", () => {
  test("has ended, even if its latest page announced another page", async () => {
    const source: Source = {
      async *pages() {
        yield { items: [1], next: 1 };
      },
    };
    expect((await read(source)).map(({ items, after }) => [items, after.ended])).toEqual([
      [[1], false],
      [[], true],
    ]);
  });

  test.each<[string, (signal: AbortSignal) => AsyncGenerator<Page>]>([
    [
      "because it was told to stop",
      async function* (signal) {
        yield { items: [1], next: 1 };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    ],
    [
      "a page without next because it was told to stop",
      async function* (signal) {
        yield { items: [1], next: 1 };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        yield { items: [] };
      },
    ],
  ])("%s has not ended", async (_, pages) => {
    const slice = new AbortController();
    const reading = chunks({ pages: (_cursor, { signal }) => pages(signal) }, START, idle(slice.signal));
    expect((await reading.next()).value?.after).toMatchObject({ cursor: 1, ended: false });
    // The slice ends while the first page is sent. The source notices that before the next page is requested.
    slice.abort();
    await turn();
    await expect(reading.next()).rejects.toThrow("the source did not yield its page in time");
  });
});

describe("a source's pages", () => {
  test("become chunks of at most 200 items, the first of 50, each with its checkpoint", async () => {
    const all = await read(pagesOf([range(450), range(200, 450), range(1, 650)]));
    expect(all.map(({ items, after }) => [items.length, withoutLoop(after)])).toEqual([
      [50, { cursor: undefined, skip: 50, ended: false }],
      [200, { cursor: undefined, skip: 250, ended: false }],
      [200, { cursor: 1, skip: 0, ended: false }],
      [200, { cursor: 2, skip: 0, ended: false }],
      [1, { cursor: undefined, skip: 0, ended: true }],
    ]);
    expect(all.flatMap(({ items }) => items)).toEqual(range(651));
  });

  test("with large items become chunks that end at the item that reaches four megabytes", async () => {
    const large = (megabytes: number) => "x".repeat(megabytes * 1_000_000 - 2);
    const items = [...Array.from({ length: 9 }, () => large(1)), 1, large(4), large(5), ...range(201), large(0.5)];
    const all = await read(pagesOf([items]));
    expect(sizes(all)).toEqual([4, 4, 3, 1, 200, 2]);
    expect(all.map(({ after }) => after.skip)).toEqual([4, 8, 11, 12, 212, 0]);
    expect(all.flatMap((chunk) => chunk.items)).toEqual(items);
    // And the same behind a checkpoint.
    const rest = await read(pagesOf([items]), { cursor: undefined, skip: 8, items: 8 });
    expect(rest).toEqual(all.slice(2));
  });

  test("that are empty are chunks without items, so that their cursor counts", async () => {
    const all = await read(pagesOf([[], [], [1], []]));
    expect(all.map(({ items, after }) => [items, withoutLoop(after)])).toEqual([
      [[], { cursor: 1, skip: 0, ended: false }],
      [[], { cursor: 2, skip: 0, ended: false }],
      [[1], { cursor: 3, skip: 0, ended: false }],
      [[], { cursor: undefined, skip: 0, ended: true }],
    ]);
  });

  test("of a source without any page are one empty chunk that ends the source", async () => {
    const none: Source = { async *pages() {} };
    expect(await read(none)).toEqual([{ items: [], after: { cursor: undefined, skip: 0, ended: true } }]);
  });

  test("end if the last page announced another page that does not exist", async () => {
    const source: Source = {
      async *pages() {
        yield { items: [1], next: "more" };
      },
    };
    expect((await read(source)).map(({ after }) => after.ended)).toEqual([false, true]);
  });

  test("continue after a checkpoint inside a page", async () => {
    const all = await read(pagesOf([range(10), range(500, 10), range(3, 510)]), { cursor: 1, skip: 400, items: 410 });
    expect(all.flatMap(({ items }) => items)).toEqual([...range(100, 410), ...range(3, 510)]);
  });

  test("with fewer items than the checkpoint has skipped yield no more items of that page, and the limit still holds", async () => {
    const source = pagesOf([range(100), range(500, 1_000)]);
    const all = await read(source, { cursor: undefined, skip: 400, items: 400 }, 450);
    expect(sizes(all)).toEqual([0, 50]);
  });
});

describe("a limit", () => {
  test.each([
    [1, [1]],
    [49, [49]],
    [50, [50]],
    [51, [50, 1]],
    [299, [50, 200, 49]],
    [300, [50, 200, 50]],
    [301, [50, 200, 50, 1]],
    [600, [50, 200, 50, 200, 100]],
    [601, [50, 200, 50, 200, 100]],
  ])("of %i ends after exactly %o", async (limit, expected) => {
    const all = await read(pagesOf([range(300), range(300, 300)]), START, limit);
    expect(sizes(all)).toEqual(expected);
    expect(all.map(({ after }) => after.ended)).toEqual(expected.map((_, index) => index === expected.length - 1));
    expect(all.at(-1)?.after.cursor).toBeUndefined();
  });

  test("counts what was produced before the checkpoint", async () => {
    expect(sizes(await read(pagesOf([range(250), range(250)]), { cursor: 1, skip: 0, items: 250 }, 260))).toEqual([10]);
  });

  test("counts the items that an earlier slice sent from the same page once", async () => {
    const from = { cursor: 0, skip: 1, items: 1 };
    expect(sizes(await read(pagesOf([[1, 2], [3, 4], [5]]), from, 4))).toEqual([1, 2]);
  });

  test("that is reached within a page does not read the next one", async () => {
    const onRead = vi.fn();
    await read(pagesOf([range(10), range(10), range(10)], onRead), START, 20);
    await turn();
    expect(onRead.mock.calls.flat()).toEqual([0, 1]);
  });
});

test("for any pages, checkpoint and limit, the chunks after the checkpoint are the remaining items", async () => {
  const page = fc.integer({ min: 0, max: 450 }).map((length) => range(length));
  const property = fc.asyncProperty(
    fc.array(page, { minLength: 1, maxLength: 6 }),
    fc.option(fc.integer({ min: 1, max: 1_500 }), { nil: undefined }),
    async (pages, limit) => {
      let next = 0;
      const numbered = pages.map((items) => items.map(() => next++));
      const all = await read(pagesOf(numbered), START, limit);
      const items = all.flatMap((chunk) => chunk.items);
      expect(items).toEqual(numbered.flat().slice(0, limit));
      expect(Math.max(...sizes(all))).toBeLessThanOrEqual(200);
      let done = 0;
      for (const [position, { items: some, after }] of all.entries()) {
        done += some.length;
        expect(after.ended).toBe(position === all.length - 1);
        if (after.ended) break;
        const rest = await read(pagesOf(numbered), { ...after, items: done }, limit);
        expect(rest).toEqual(all.slice(position + 1));
      }
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

describe("reading ahead", () => {
  test("covers at most one page, and begins before the current page is sent", async () => {
    const onRead = vi.fn();
    const iterator = chunks(pagesOf([range(250), range(250), range(250)], onRead), START, idle());
    expect(onRead).not.toHaveBeenCalled();
    for (const readSoFar of [
      [0, 1],
      [0, 1],
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
    ]) {
      await iterator.next();
      await turn();
      expect(onRead.mock.calls.flat()).toEqual(readSoFar);
    }
    expect((await iterator.next()).done).toBe(true);
  });

  test("reports an error only after the chunks before it", async () => {
    const source = toSource({
      readPage: (cursor) => {
        if (cursor === 1) throw new Error("page 1 is broken");
        return { items: range(250), next: 1 };
      },
    });
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    try {
      const iterator = chunks(source, START, idle());
      for (const length of [50, 200]) {
        expect((await iterator.next()).value?.items).toHaveLength(length);
        await turn();
      }
      const error = iterator.next();
      await expect(error).rejects.toThrow(SourceError);
      await expect(error).rejects.toThrow("the source threw: page 1 is broken");
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off("unhandledRejection", unhandled);
    }
  });

  test("stops when the caller stops: the signal fires and the source is closed", async () => {
    const closed = vi.fn();
    let signal: AbortSignal | undefined;
    const source: Source = {
      async *pages(_, context) {
        signal = context.signal;
        try {
          for (let next = 1; ; next++) yield { items: [next], next };
        } finally {
          closed();
        }
      },
    };
    for await (const _ of chunks(source, START, idle())) break;
    await turn();
    expect(closed).toHaveBeenCalledOnce();
    expect(signal?.aborted).toBe(true);
  });

  test("of a source that never answers does not block a caller that stops", async () => {
    const source = toSource({
      readPage: (cursor) => (cursor === undefined ? { items: [1], next: 1 } : new Promise<never>(() => {})),
    });
    for await (const { items } of chunks(source, START, idle())) {
      expect(items).toEqual([{ json: "1" }]);
      break;
    }
  });

  test("of a source that never answers and ignores its signal ends when the signal fires", async () => {
    const slice = new AbortController();
    const source = toSource({ readPage: () => new Promise<never>(() => {}) });
    const first = chunks(source, START, idle(slice.signal)).next();
    slice.abort(new Error("the slice is over"));
    await expect(first).rejects.toThrow(SourceError);
    await expect(first).rejects.toThrow("did not yield its page in time");
    await expect(first).rejects.toMatchObject({ cause: new Error("the slice is over") });
  });

  test("leaves no listener on the signal, which would keep the items of each page until the invocation ends", async () => {
    const { signal } = new AbortController();
    const listeners: number[] = [];
    for await (const _ of chunks(pagesOf([[1], [2], [3]]), START, idle(signal))) {
      listeners.push(getEventListeners(signal, "abort").length);
    }
    expect(listeners).toEqual([0, 0, 0]);
  });
});

describe("a source whose cursor occurs again", () => {
  /** Reads in slices, each from the checkpoint of the slice before, until the source ends or throws. */
  async function pagesUntilEnd(nextOf: (page: number) => Cursor | undefined, pagesOfSlice: number): Promise<number> {
    let number = 0;
    const source = toSource({ readPage: (): Page => ({ items: [number], next: nextOf(number++) }) });
    let from: Parameters<typeof chunks>[1] = START;
    for (let sent = 0; sent < 1_000; ) {
      const slice = chunks(source, from, idle());
      for (let page = 0; page < pagesOfSlice; page++) {
        const { value } = await slice.next();
        if (value === undefined) return sent;
        sent++;
        // In the form in which the run's row stores it.
        from = JSON.parse(JSON.stringify({ ...value.after, items: sent }));
      }
      await slice.return();
      // The next slice reads the page again that was read ahead.
      await turn();
      number = sent;
    }
    throw new Error("1,000 pages were read");
  }

  test("on the next page is an error that says the cursor stays the same, and no page is sent twice", async () => {
    const readPage = vi.fn((cursor: Cursor = 0) => ({ items: [cursor, 2], next: 0 }));
    const sent: unknown[] = [];
    const all = (async () => {
      for await (const { items } of chunks(toSource({ readPage }), START, idle())) sent.push(...items);
    })();
    await expect(all).rejects.toThrow("the source's cursor stays the same: the page at 0 has the same cursor as next");
    await expect(all).rejects.toThrow(SourceError);
    expect(sent).toHaveLength(2);
    expect(readPage).toHaveBeenCalledTimes(2);
  });

  test.each([1, 2, 3, 7, 1_000])(
    "in a loop is an error within two rounds, also in slices of %i pages",
    async (pagesOfSlice) => {
      const circle = (length: number) => pagesUntilEnd((page) => ({ at: page % length }), pagesOfSlice);
      await expect(circle(1)).rejects.toThrow("stays the same");
      for (const length of [2, 3, 5, 8, 50]) await expect(circle(length)).rejects.toThrow("form a loop");
    },
  );

  test("after many pages is found within 128 pages if the loop is short", async () => {
    let read = 0;
    const late = (page: number) => {
      read = page;
      return page < 300 ? page : 300 + (page % 2);
    };
    await expect(pagesUntilEnd(late, 5)).rejects.toThrow("form a loop: the next page would be at 30");
    expect(read).toBeLessThan(300 + 128 + 2);
  });

  test("is found with 16 characters of each cursor's digest, so a long cursor makes no checkpoint longer", async () => {
    const next = (page: number) => "x".repeat(10_000) + page;
    const source = toSource({ readPage: (cursor): Page => ({ items: [1], next: next(String(cursor).length) }) });
    const slice = chunks(source, START, idle());
    const { value } = await slice.next();
    await slice.return();
    expect(value?.after.loop).toEqual({ count: 1, far: expect.any(String), near: expect.any(String) });
    expect(value?.after.loop?.far).toHaveLength(16);
    expect(value?.after.loop?.near).toHaveLength(16);
  });

  test("never is no error, however many pages there are", async () => {
    expect(await pagesUntilEnd((page) => (page < 700 ? page : undefined), 40)).toBe(701);
  });

  test("is also found in a generator of pages", async () => {
    const source: Source = {
      async *pages() {
        for (;;) {
          yield { items: [1], next: "a" };
          yield { items: [2], next: "b" };
        }
      },
    };
    await expect(read(source)).rejects.toThrow('the next page would be at "a"');
  });
});

describe("a source whose cursor JSON cannot hold", () => {
  class Position {
    offset = 1;
  }
  const circular: { inner?: unknown } = {};
  circular.inner = [circular];

  test.each([
    ["a Date", new Date(0), 'cursor is the Date "1970-01-01T00:00:00.000Z"'],
    ["a Date inside", { since: [1, new Date(0)] }, "cursor.since[1] is the Date"],
    ["an invalid Date", new Date(Number.NaN), "cursor is the Date null"],
    ["a Map", { "next page": new Map([[1, 2]]) }, 'cursor["next page"] is an instance of Map'],
    ["an instance of a class", new Position(), "cursor is an instance of Position"],
    ["binary data", Buffer.from("a"), "cursor is an instance of Buffer"],
    ["an object with toJSON", { toJSON: () => 1 }, "cursor is an instance of Object"],
    ["NaN", Number.NaN, "cursor is NaN"],
    ["Infinity inside", { a: [Infinity] }, "cursor.a[0] is Infinity"],
    ["an integer that was rounded", { after: [2 ** 60] }, "cursor.after[0] is 1152921504606846976, beyond"],
    ["undefined inside", { after: undefined }, "cursor.after is undefined"],
    ["a hole", Object.assign(["a"], { length: 2 }), "cursor[1] is undefined"],
    ["a function", () => 1, "cursor is a function"],
    ["a symbol", { a: Symbol("x") }, "cursor.a is a symbol"],
    ["an object that contains itself", circular, "cursor.inner[0] is an object that contains itself"],
    [
      "what throws when it is read",
      {
        get at() {
          throw new Error("gone");
        },
      },
      "it cannot be read: gone",
    ],
  ])(
    "because it is %s fails permanently at the first page, and the message names the value",
    async (_, next, message) => {
      const first = read(toSource({ readPage: () => ({ items: [1], next: next as Cursor }) }));
      await expect(first).rejects.toThrow(message);
      await expect(first).rejects.toMatchObject({ code: "SOURCE", permanent: true });
    },
  );

  test("differs from values that JSON can hold, such as objects of another realm or without a prototype", async () => {
    const shared = { a: 1 };
    for (const next of [
      0,
      -0,
      "",
      false,
      "\ud800",
      [],
      {},
      [[null]],
      [shared, shared],
      { a: { b: ["c", 1.5, true, null] } },
      Object.assign(Object.create(null), { a: 1 }),
      runInNewContext("({ a: [1] })"),
    ]) {
      const source = toSource({ readPage: (cursor) => (cursor === undefined ? { items: [1], next } : { items: [2] }) });
      expect(await read(source)).toHaveLength(2);
    }
  });
});

test("a page whose next is null is the last one, even if the source yields another", async () => {
  const source = {
    async *pages() {
      yield { items: [1], next: null } as unknown as Page;
      yield { items: [2], next: undefined };
    },
  };
  expect((await read(source)).map(({ items, after }) => [items, after.ended])).toEqual([[[1], true]]);
});

test("a page whose next is misspelt does not end the source", async () => {
  const misspelt = (page: object) =>
    read({
      async *pages() {
        yield page as Page;
      },
    });
  await expect(misspelt({ items: [1], nextCursor: 5 })).rejects.toThrow(
    'the source yielded a page that has no next, but has "nextCursor": yield { items: [...], next: cursor }',
  );
  // The source would yield the same page again.
  await expect(misspelt({ items: [1], nextCursor: 5 })).rejects.toMatchObject({ permanent: true });
  expect(await misspelt({ items: [1], next: undefined, total: 1 })).toHaveLength(1);
  expect(await misspelt({ items: [1] })).toHaveLength(1);
});

describe("a source that does not yield pages", () => {
  const KEYS = JSON.stringify(range(50).map((key) => `k${key}`));
  const yields = (value: unknown): Source => ({
    async *pages() {
      yield value as Page;
    },
  });

  test.each<[unknown, string]>([
    [undefined, "undefined"],
    [null, "null"],
    [5, "5"],
    ["page".repeat(50), `"${"page".repeat(25).slice(0, 99)}`],
    [[1, 2], 'an object with the keys ["0","1"]'],
    [{}, "an object with the keys []"],
    [{ next: 1, rows: ["secret"] }, 'an object with the keys ["next","rows"]'],
    [{ items: "abc" }, 'items that are "abc"'],
    [{ items: null }, "items that are null"],
    [{ items: undefined }, "items that are undefined"],
    [{ items: "rows".repeat(50) }, `items that are "${"rows".repeat(25).slice(0, 99)}`],
    [Object.fromEntries(range(50).map((key) => [`k${key}`, 1])), `an object with the keys ${KEYS.slice(0, 100)}`],
    [{ items: new Set(["secret"]) }, "items that are an object"],
  ])("but %o fails, and the message says what it yielded", async (value, shown) => {
    await expect(read(yields(value))).rejects.toThrow(SourceError);
    await expect(read(yields(value))).rejects.toThrow(
      `the source yielded ${shown}, which is not a page: yield { items: [...], next: cursor }, where items is an array`,
    );
  });

  test.each([
    [
      "throws when it is opened",
      () => {
        throw new Error("no database");
      },
    ],
    ["is no generator", () => [{ items: [] }]],
    ["returns nothing", () => undefined],
    ["rejects with undefined", () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(undefined) }) })],
  ])("because it %s fails with that reason", async (_, pages) => {
    await expect(read({ pages } as unknown as Source)).rejects.toThrow(SourceError);
  });

  test("because its cursor is one byte too large fails with that reason", async () => {
    const cursor = (bytes: number) => yields({ items: [], next: "x".repeat(bytes - 2) });
    await expect(read(cursor(16_385))).rejects.toThrow("more than 16384 bytes");
    expect(await read(cursor(16_384))).toHaveLength(2);
  });

  test("but throws a SourceError fails with that very error", async () => {
    const error = new SourceError("quota used up");
    const source = toSource({ readPage: () => Promise.reject(error) });
    await expect(read(source)).rejects.toBe(error);
  });
});
