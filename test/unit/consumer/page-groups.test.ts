import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type PageGroup, PageGroups, type PageGroupsOptions } from "../../../shared/consumer/outcomes/page-groups.ts";
import { longestWait, mostUnrecorded, mostWaiting } from "../../../shared/consumer/outcomes/recording-limits.ts";

const page = (number: number, epoch = 1) => ({ run: "r", partition: 0, page: number, epoch });

test("Outcomes of one page are one group, and all groups that are due together are given to one call", async () => {
  const write = vi.fn((groups: readonly PageGroup<string>[]) => groups.map(() => Promise.resolve()));
  const groups = new PageGroups<string>(write);
  groups.setPace("now");
  const recorded = [
    groups.record(page(0), "a"),
    groups.record(page(1), "b"),
    groups.record(page(0), "c"),
    groups.record(page(0, 2), "d"),
    groups.record({ ...page(0), partition: 1 }, "e"),
  ];
  await Promise.all(recorded);
  expect(write).toHaveBeenCalledExactlyOnceWith(
    [
      { ...page(0), items: ["a", "c"] },
      { ...page(1), items: ["b"] },
      { ...page(0, 2), items: ["d"] },
      { ...page(0), partition: 1, items: ["e"] },
    ],
    [],
  );
});

test("A group that cannot be written rejects its own outcomes, and no others", async () => {
  const groups = new PageGroups<string>((due) =>
    due.map(async (group) => {
      if (group.page === 1) throw new Error("throttled");
    }),
  );
  groups.setPace("now");
  const recorded = [groups.record(page(0), "a"), groups.record(page(1), "b"), groups.record(page(1), "c")];
  const results = await Promise.allSettled(recorded);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
});

test("The writer also gets the groups that wait, because it can store something for them in the same request", async () => {
  const write = vi.fn((groups: readonly PageGroup<string>[]) => groups.map(() => Promise.resolve()));
  const groups = new PageGroups<string>(write, { now: () => 0, mostWaiting: () => 3 });
  for (const [number, item] of [
    [0, "a"],
    [1, "b"],
    [1, "c"],
  ] as const)
    void groups.record(page(number), item);
  expect(write).toHaveBeenCalledExactlyOnceWith([{ ...page(1), items: ["b", "c"] }], [{ ...page(0), items: ["a"] }]);
  groups.writeAll();
});

test("A group for which the writer returns nothing counts as not written", async () => {
  const groups = new PageGroups<string>(() => []);
  groups.setPace("now");
  await expect(groups.record(page(0), "a")).rejects.toThrow("was not written");
});

describe("while attempts run, outcomes", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function grouping(options: Partial<PageGroupsOptions<string>> = {}) {
    const written: string[] = [];
    const write = vi.fn((groups: readonly PageGroup<string>[]) => {
      written.push(groups.map(({ page, items }) => `${page}: ${items.join("")}`).join(", "));
      return groups.map(() => Promise.resolve());
    });
    const groups = new PageGroups<string>(write, { now: Date.now, ...options });
    return { groups, written, record: (number: number, item: string) => void groups.record(page(number), item) };
  }

  test("wait for others of their page, as long as is allowed and no longer", async () => {
    const { written, record } = grouping({ longestWait: () => 1_000 });
    record(0, "a");
    await vi.advanceTimersByTimeAsync(600);
    record(0, "b");
    await vi.advanceTimersByTimeAsync(399);
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(written).toEqual(["0: ab"]);
  });

  test("are written at the time that was set, also if they might wait longer by now", async () => {
    let longestWait = 1_000;
    const { written, record } = grouping({ longestWait: () => longestWait });
    record(0, "a");
    longestWait = 5_000;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(written).toEqual(["0: a"]);
  });

  test("are written with an older group if they have waited for half of the time, and later if not", async () => {
    const { written, record } = grouping({ longestWait: () => 1_000 });
    record(0, "a");
    await vi.advanceTimersByTimeAsync(500);
    record(1, "b");
    await vi.advanceTimersByTimeAsync(1);
    record(2, "c");
    await vi.advanceTimersByTimeAsync(499);
    expect(written).toEqual(["0: a, 1: b"]);
    await vi.advanceTimersByTimeAsync(500);
    expect(written).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(written).toEqual(["0: a, 1: b", "2: c"]);
  });

  test("that would first have to be made ready wait their whole time, if an older group is ready", async () => {
    const unready = new Set(["b"]);
    const { written, record } = grouping({ longestWait: () => 1_000, isReady: (item) => !unready.has(item) });
    record(0, "a");
    await vi.advanceTimersByTimeAsync(400);
    record(1, "b");
    record(1, "d");
    record(2, "c");
    await vi.advanceTimersByTimeAsync(600);
    expect(written).toEqual(["0: a, 2: c"]);
    await vi.advanceTimersByTimeAsync(400);
    expect(written).toEqual(["0: a, 2: c", "1: bd"]);
  });

  test("are made ready together, if not all outcomes of the oldest group are ready", async () => {
    const { written, record } = grouping({ longestWait: () => 1_000, isReady: (item) => item === "a" });
    record(0, "a");
    record(0, "c");
    await vi.advanceTimersByTimeAsync(400);
    record(1, "b");
    await vi.advanceTimersByTimeAsync(600);
    expect(written).toEqual(["0: ac, 1: b"]);
  });

  describe("of which too many wait and few are ready", () => {
    /** What is written when ten outcomes wait. The pages of the outcomes are given, and how many of page 0 are ready. */
    const writtenOf = (pages: readonly number[], ready: number) => {
      const isReady = (item: string) => item === "r";
      const { written, record } = grouping({ mostWaiting: () => 10, isReady });
      for (const [position, number] of pages.entries()) record(number, position < ready ? "r" : "u");
      return written;
    };

    test("are all written if their groups are large: they gain little from waiting", () => {
      expect(writtenOf([0, 1, 1, 1, 2, 2, 2, 3, 3, 3], 1)).toEqual(["0: r, 1: uuu, 2: uuu, 3: uuu"]);
      expect(writtenOf([0, 0, 1, 1, 2, 2, 3, 3, 4, 4], 0)).toEqual(["0: uu, 1: uu, 2: uu, 3: uu, 4: uu"]);
    });

    test("are written from the largest group on if their groups are small", () => {
      expect(writtenOf([0, 1, 2, 3, 4, 5, 5, 5, 5, 5], 0)).toEqual(["5: uuuuu"]);
    });

    test("are left, if a fifth of them is ready and is written instead", () => {
      expect(writtenOf([0, 0, 1, 1, 1, 1, 2, 2, 2, 2], 2)).toEqual(["0: rr"]);
    });
  });

  test("are written from the largest group on if too many wait, until half as many wait", async () => {
    const { written, record } = grouping({ mostWaiting: () => 6 });
    for (const [number, item] of [
      [0, "a"],
      [1, "b"],
      [2, "c"],
      [1, "d"],
      [2, "e"],
    ] as const)
      record(number, item);
    expect(written).toEqual([]);
    record(1, "f");
    expect(written).toEqual(["1: bdf"]);
    for (const item of "ghi") record(2, item);
    expect(written).toEqual(["1: bdf", "2: ceghi"]);
    await vi.advanceTimersByTimeAsync(250);
    expect(written).toEqual(["1: bdf", "2: ceghi", "0: a"]);
  });

  test("of a page that is not written yet keep the time of its first outcome, after a larger group was written", async () => {
    const { written, record } = grouping({ mostWaiting: () => 4, longestWait: () => 1_000 });
    record(0, "a");
    await vi.advanceTimersByTimeAsync(300);
    record(1, "b");
    await vi.advanceTimersByTimeAsync(300);
    for (const item of "cd") record(0, item);
    expect(written).toEqual(["0: acd"]);
    await vi.advanceTimersByTimeAsync(699);
    expect(written).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(written).toEqual(["0: acd", "1: b"]);
  });

  test("are written at once if none may wait", () => {
    const { written, record } = grouping({ mostWaiting: () => 1 });
    record(0, "a");
    record(1, "b");
    expect(written).toEqual(["0: a", "1: b"]);
  });

  test("are written on demand, also if there are none", () => {
    const { groups, written, record } = grouping();
    groups.writeAll();
    record(0, "a");
    groups.writeAll();
    expect(written).toEqual(["", "0: a"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("do not wait for longer if the pace is set to the same again", async () => {
    const { groups, written, record } = grouping();
    groups.setPace("soon");
    record(0, "a");
    await vi.advanceTimersByTimeAsync(10);
    groups.setPace("soon");
    await vi.advanceTimersByTimeAsync(5);
    expect(written).toEqual(["0: a"]);
  });

  test("wait again if attempts begin before they are written", async () => {
    const { groups, written, record } = grouping();
    record(0, "a");
    for (const pace of ["soon", "now", "together"] as const) groups.setPace(pace);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(249);
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(written).toEqual(["0: a"]);
  });

  test("are all written as soon as nothing else is coming", async () => {
    const { groups, written, record } = grouping();
    for (const number of [0, 1]) record(number, "a");
    groups.setPace("soon");
    await vi.advanceTimersByTimeAsync(14);
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(written).toEqual(["0: a, 1: a"]);
    record(2, "b");
    groups.setPace("now");
    await vi.advanceTimersByTimeAsync(0);
    expect(written).toEqual(["0: a, 1: a", "2: b"]);
  });
});

/** A pseudo-random number from 0 to 1, the same in each run. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// 8,000 items in pages of 200, 10 slots in each of 5 environments, as in the benchmark `requests`.
const SIMULATED = { items: 8_000, pageSize: 200, slots: 10, environments: 5 } as const;

/** How many writes 1,000 tasks of a constant duration make, in an order of delivery. */
async function writesPerThousand(order: "in order" | "at random", milliseconds: number): Promise<number> {
  const { items, pageSize, slots, environments } = SIMULATED;
  const random = mulberry32(7);
  const queue = Array.from({ length: items }, (_, item) => item);
  const next = () => (order === "in order" ? queue.shift() : queue.splice(Math.floor(random() * queue.length), 1)[0]);
  let writes = 0;
  const environment = async () => {
    const write = (groups: readonly PageGroup<number>[]) => {
      writes += groups.length;
      return groups.map(() => Promise.resolve());
    };
    const groups = new PageGroups<number>(write, {
      now: Date.now,
      longestWait: () => longestWait(milliseconds),
      mostWaiting: () => mostWaiting(slots),
    });
    const slot = async () => {
      for (let item = next(); item !== undefined; item = next()) {
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        void groups.record(page(Math.floor(item / pageSize)), item);
      }
    };
    await Promise.all(Array.from({ length: slots }, slot));
    groups.setPace("now");
  };
  vi.useFakeTimers();
  try {
    const all = Promise.all(Array.from({ length: environments }, environment));
    await vi.runAllTimersAsync();
    await all;
    return (1_000 * writes) / items;
  } finally {
    vi.useRealTimers();
  }
}

test.each([
  [250, "in order", 60],
  [250, "at random", 600],
] as const)("1,000 tasks of %i ms that are delivered %s make at most %i writes", async (milliseconds, order, most) => {
  expect(await writesPerThousand(order, milliseconds)).toBeLessThanOrEqual(most);
});

test("Unrecorded outcomes are at most four per slot, or ten, and wait for 5 s at most", () => {
  expect([1, 2, 3, 10, 100].map(mostUnrecorded)).toEqual([10, 10, 12, 40, 400]);
  expect([1, 10].map(mostWaiting)).toEqual([7.5, 30]);
  expect([0, 31, 32, 100, 625, 600_000].map(longestWait)).toEqual([250, 250, 256, 800, 5_000, 5_000]);
});
