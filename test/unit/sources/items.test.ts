import { Readable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ConfigurationError, SourceError } from "../../../shared/base/errors.ts";
import { items } from "../../../shared/sources/index.ts";
import { itemsOf, never, pagesOf, readContext, restartable } from "./reading.ts";

/** Counts the items that were read, and notes whether the iterator was closed. */
function counted(total: number) {
  const seen = { taken: 0, opened: 0, closed: 0 };
  async function* numbers() {
    seen.opened += 1;
    try {
      for (let number = 0; number < total; number++) {
        seen.taken += 1;
        yield number;
      }
    } finally {
      seen.closed += 1;
    }
  }
  return { seen, numbers };
}

describe("items", () => {
  it("divides an array into pages of pageSize, and the cursor counts the items read", async () => {
    expect(await pagesOf(items([1, 2, 3, 4, 5], { pageSize: 2 }))).toEqual([
      { items: [1, 2], next: 2 },
      { items: [3, 4], next: 4 },
      { items: [5] },
    ]);
  });

  it("knows the size of an array, and of nothing else", () => {
    expect(items([1, 2, 3]).size?.(readContext())).toEqual({ items: 3, isExact: true });
    expect(items(new Set([1])).size).toBeUndefined();
    expect(items(() => [1]).size).toBeUndefined();
  });

  it("has pages of 200 items by default", async () => {
    const [first] = await pagesOf(items(Array.from({ length: 201 }, (_, index) => index)));
    expect(first).toMatchObject({ items: { length: 200 }, next: 200 });
  });

  it.each([[[]], [new Set()], [() => []], [async function* () {}]])(
    "reads nothing as one empty page",
    async (nothing) => {
      expect(await pagesOf(items(nothing))).toEqual([{ items: [] }]);
    },
  );

  it("has no cursor on the last page, full or not, and yields the same remaining items from each cursor", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string()), fc.integer({ min: 1, max: 7 }), async (values, pageSize) => {
        const forms = [
          () => items(values, { pageSize }),
          () => items(new Set(values.map((value, index) => `${index}${value}`)), { pageSize }),
          () => items(() => values.values(), { pageSize }),
          () => items(() => Readable.from(values.map((value) => ({ value }))), { pageSize }),
          () => items(async () => values, { pageSize }),
        ];
        for (const form of forms) {
          const pages = await restartable<unknown>(form);
          expect(pages.flatMap((page) => page.items)).toHaveLength(values.length);
          expect(pages.slice(0, -1).every((page) => page.items.length === pageSize)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("reads one item beyond the page, iterates once, and closes the iterator when the caller stops", async () => {
    const { seen, numbers } = counted(1_000);
    for await (const page of items(numbers, { pageSize: 10 }).pages(undefined, readContext())) {
      expect(page.items).toHaveLength(10);
      if (page.next === 30) break;
    }
    expect(seen).toEqual({ taken: 31, opened: 1, closed: 1 });
  });

  it("skips the items that were read before when it starts again", async () => {
    const { seen, numbers } = counted(7);
    expect(await itemsOf(items(numbers, { pageSize: 2 }), 4)).toEqual([4, 5, 6]);
    expect(seen).toEqual({ taken: 7, opened: 1, closed: 1 });
  });

  describe("over a slow iterator, with a fake clock", () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ["performance"] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    /** A source whose items take `milliseconds` each. */
    const slow = (total: number, milliseconds: number) =>
      items(
        async function* () {
          for (let number = 0; number < total; number++) {
            vi.advanceTimersByTime(milliseconds);
            yield number;
          }
        },
        { pageSize: 10 },
      );

    it("fails permanently when a slice has only skipped items for 60 s, and says what to use", async () => {
      // The 60th item comes after 60 s, and is the last one to skip.
      expect(await itemsOf(slow(70, 1_000), 60)).toEqual([60, 61, 62, 63, 64, 65, 66, 67, 68, 69]);
      const failed = pagesOf(slow(70, 1_000), 61);
      await expect(failed).rejects.toThrow(SourceError);
      await expect(failed).rejects.toMatchObject({ permanent: true });
      await expect(failed).rejects.toThrow(/After 60 s it had skipped only 60 of the 61 items .*readPage\(cursor\)/);
    });

    it("has no limit on the time for new items", async () => {
      expect(await itemsOf(slow(200, 1_000))).toHaveLength(200);
    });

    it("warns at each page after 30 s, in each slice with the same text", async () => {
      const warnings: string[] = [];
      await pagesOf(slow(29, 1_000), undefined, never, warnings);
      expect(warnings).toEqual([]);
      await pagesOf(slow(42, 1_000), undefined, never, warnings);
      await pagesOf(slow(42, 1_000), 20, never, warnings);
      expect(new Set(warnings).size).toBe(1);
      expect(warnings[0]).toMatch(/first item in each slice .* Use readPage with a cursor/);
      expect((warnings[0] ?? "").length).toBeLessThanOrEqual(300);
    });

    it("has no limit over an array", async () => {
      const array = items(
        async () => {
          vi.advanceTimersByTime(3_600_000);
          return [1, 2, 3];
        },
        { pageSize: 1 },
      );
      const warnings: string[] = [];
      expect(await pagesOf(array, 2, never, warnings)).toEqual([{ items: [3] }]);
      expect(warnings).toEqual([]);
    });
  });

  it("throws what the iterator throws, and does not close a failed iterator", async () => {
    let returned = 0;
    const failing = {
      next: () => Promise.reject(new Error("no database")),
      return: () => {
        returned += 1;
        return new Promise<never>(() => undefined);
      },
    };
    const source = items(() => ({ [Symbol.asyncIterator]: () => failing }));
    await expect(pagesOf(source)).rejects.toThrow("no database");
    expect(returned).toBeLessThanOrEqual(1);
  });

  it("stops at the signal, even while the iterator hangs", async () => {
    const abort = new AbortController();
    const hanging = items(async function* ({ signal }) {
      expect(signal).toBe(abort.signal);
      yield 1;
      abort.abort(new Error("the slice is over"));
      await new Promise(() => undefined);
    });
    await expect(pagesOf(hanging, undefined, abort.signal)).rejects.toThrow("the slice is over");
    await expect(pagesOf(items([1]), undefined, abort.signal)).rejects.toThrow("the slice is over");
  });

  it.each([
    ["a generator", counted(3).numbers()],
    ["an array's iterator", [1].values()],
    ["a stream", Readable.from([1])],
    ["a web stream", new ReadableStream()],
  ])("refuses %s, which can be iterated only once", (_, once) => {
    expect(() => items(once as AsyncIterable<number>)).toThrow(ConfigurationError);
    expect(() => items(once as AsyncIterable<number>)).toThrow(/only once: pass a function/);
  });

  it("fails with a clear message if a function returns the same iterator again", async () => {
    const iterator = counted(3).numbers();
    const source = items(() => iterator);
    expect(await itemsOf(source)).toEqual([0, 1, 2]);
    await expect(itemsOf(source)).rejects.toThrow(/was used before: pass a function/);
  });

  it.each([
    ["an array", [1, 2, 3]],
    ["an iterable", new Set([1, 2, 3])],
  ])("fails with a clear message if %s has shrunk", async (_, few) => {
    for (const cursor of [3, 4]) {
      await expect(pagesOf(items(few), cursor)).rejects.toThrow(/ended after 3 items, but the run had read/);
    }
    expect(await itemsOf(items(few), 2)).toEqual([3]);
  });

  it.each([[0], [-1], [1.5], ["2"], [{ at: 1 }]])("refuses the cursor %j", async (cursor) => {
    await expect(pagesOf(items([1, 2]), cursor)).rejects.toThrow(SourceError);
  });

  it.each([["abc"], [7], [null], [undefined], [{}]])("refuses %j instead of items", (value) => {
    expect(() => items(value as unknown as [])).toThrow(ConfigurationError);
  });

  it("refuses a value that cannot be iterated when the function returns it", async () => {
    await expect(pagesOf(items(() => 7 as unknown as []))).rejects.toThrow(/returned 7, which cannot be iterated/);
  });

  it.each([[0], [201], [1.5], ["10"]])("refuses a pageSize of %j", (pageSize) => {
    expect(() => items([], { pageSize: pageSize as number })).toThrow(/pageSize must be a whole number from 1 to 200/);
  });

  it("accepts a pageSize of 1 and of 200, and refuses unknown options", () => {
    expect(() => [items([], { pageSize: 1 }), items([], { pageSize: 200 })]).not.toThrow();
    expect(() => items([], { pagesize: 2 } as object)).toThrow(/unknown option "pagesize"/);
  });
});
