import { afterEach, describe, expect, test, vi } from "vitest";
import type { RunSummary } from "../../../shared/definition/on-complete.ts";
import { type Cursor, items, type PageReader, type ReadContext } from "../../../shared/index.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

/** A source of `count` pages of one item. It calls a function before it returns a page. */
const pages = (count: number, before: (page: number, context: ReadContext) => void): PageReader => ({
  readPage: (cursor: Cursor = 0, context) => {
    const page = Number(cursor);
    before(page, context);
    return { items: [page], next: page + 1 < count ? page + 1 : undefined };
  },
});

/** Counts the writes of the run's row while the source is read to its end. */
async function writesOf(source: PageReader): Promise<number> {
  const world = new ProducerWorld({ source });
  let writes = 0;
  world.store.before = (operation, key) => {
    if (operation === "update" && key?.sk === "run") writes++;
  };
  await world.startWithPage();
  await world.continue();
  return writes;
}

describe("a source over an iterator that takes longer to skip than a slice", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("fails its run in the first slice without progress, and no slice follows", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const source = items(
      async function* () {
        for (let number = 0; number < 1_000; number++) {
          vi.advanceTimersByTime(100);
          yield number;
        }
      },
      { pageSize: 200 },
    );
    const world = new ProducerWorld({ source });
    await world.start();
    // Each slice ends after a page.
    const time = { sliceEnd: Number.NEGATIVE_INFINITY };
    let slices = 0;
    for (let hop = 1; hop <= 20 && (await world.run()).status === "running"; hop++) {
      await world.continue(hop, 1, time);
      slices++;
    }
    const { status, failure, warnings, checkpoint } = await world.run();
    expect(status).toBe("failed");
    expect(failure).toMatch(/^items\(\.\.\.\) starts at its first item in each slice .* of the \d+ items .*readPage/);
    expect(warnings).toEqual([expect.stringContaining("Use readPage with a cursor")]);
    // 60 s are 600 items. The items that were sent before count.
    expect(checkpoint).toMatchObject({ ended: false });
    expect(checkpoint.items).toBeGreaterThanOrEqual(600);
    expect(world.hops).toHaveLength(slices);
  });
});

describe("a warning of the source", () => {
  test("is stored in the run, once for each text, in the order of the warnings", async () => {
    const world = new ProducerWorld({
      source: pages(3, (page, { warn }) => {
        warn("the same on every page");
        warn(`page ${page}`);
      }),
    });
    await world.startWithPage();
    await world.continue();
    expect((await world.run()).warnings).toEqual(["the same on every page", "page 0", "page 1", "page 2"]);
    expect(world.logger.lines.filter((line) => line.includes("the same"))).toEqual([
      "warn: the source warns: the same on every page",
    ]);
  });

  test("is cut to 300 whole characters, and the eleventh warning is dropped", async () => {
    const world = new ProducerWorld({
      source: pages(1, (_, { warn }) => {
        warn("a".repeat(300));
        warn("b".repeat(301));
        warn(`${"c".repeat(298)}😀😀`);
        for (let n = 3; n < 12; n++) warn(`warning ${n}`);
      }),
    });
    await world.startWithPage();
    const { warnings } = await world.run();
    expect(warnings).toHaveLength(10);
    expect(warnings[0]).toBe("a".repeat(300));
    expect(warnings[1]).toBe(`${"b".repeat(299)}…`);
    expect(warnings[2]).toSatisfy((text: string) => text.isWellFormed() && text.length <= 300);
    expect(warnings.at(-1)).toBe("warning 9");
  });

  test("costs no write of its own", async () => {
    const silent = await writesOf(pages(3, () => {}));
    expect(await writesOf(pages(3, (page, { warn }) => warn(`page ${page}`)))).toBe(silent);
  });

  test("is stored when the slice fails, and when the run fails", async () => {
    const world = new ProducerWorld({
      source: pages(2, (page, { warn }) => {
        warn(`page ${page}`);
        if (page === 1) throw new Error("HTTP 503");
      }),
    });
    await world.start();
    await world.continue();
    expect(await world.run()).toMatchObject({ failedSlices: 1, warnings: ["page 0", "page 1"] });
    for (let receives = 2; receives <= 6; receives++) await world.continue(1, receives);
    expect(await world.run()).toMatchObject({ status: "failed", warnings: ["page 0", "page 1"] });
  });

  test("survives later slices, and the death of its producer", async () => {
    const world = new ProducerWorld({ source: pages(3, (page, { warn }) => page === 0 && warn("only of page 0")) });
    // The first producer dies at its first checkpoint: nothing of the slice is written.
    world.store.before = (operation, key) => {
      if (operation === "update" && key?.sk === "run" && world.messages.length > 0) throw new Error("killed");
    };
    await world.start();
    await world.continue().catch(() => {});
    world.store.before = () => {};
    expect((await world.run()).warnings).toEqual([]);
    // The next producer reads page 0 again, and a slice that begins at page 1 knows the warning from the ledger.
    await world.continue(1, 2, { sliceEnd: world.now });
    expect((await world.run()).checkpoint).toMatchObject({ items: 1 });
    await world.continue(2);
    expect(await world.run()).toMatchObject({ warnings: ["only of page 0"], checkpoint: { ended: true } });
  });

  test("of two producers at the same time is stored once, and at most ten are shown", async () => {
    const world = new ProducerWorld({ source: pages(1, () => {}) });
    await world.start();
    const record = (warnings: string[]) =>
      world.runs.progress.recordSlice({ id: RUN, warnings: [] }, 1, "HTTP 503", warnings);
    await Promise.all([record(["a", "b"]), record(["b", "c", "a"])]);
    expect((await world.run()).warnings.toSorted()).toEqual(["a", "b", "c"]);
    await record(Array.from({ length: 10 }, (_, index) => `other ${index}`));
    expect((await world.run()).warnings).toHaveLength(10);
  });

  test("reaches onComplete", async () => {
    const onComplete = vi.fn<(summary: RunSummary) => void>();
    const world = new ProducerWorld({
      source: {
        readPage: (_, { warn }) => {
          warn("no items at all");
          return { items: [] };
        },
      },
      onComplete,
    });
    await world.startWithPage();
    await world.complete();
    expect(onComplete.mock.lastCall?.[0]).toMatchObject({ status: "completed", warnings: ["no items at all"] });
  });
});

test("a source may warn with any value, and the warning never fails it", async () => {
  const revoked = Proxy.revocable(new Error("x"), {});
  revoked.revoke();
  const said: unknown[] = [
    new TypeError("an old API", { cause: new Error("v1") }),
    undefined,
    { page: 0 },
    revoked.proxy,
  ];
  const source = pages(1, (_, { warn }) => {
    for (const each of said) warn(each as string);
  });
  const world = new ProducerWorld({ source });
  await world.startWithPage();
  const { status, warnings, checkpoint } = await world.run();
  expect(warnings).toEqual(["an old API: v1", "undefined", '{"page":0}', expect.any(String)]);
  expect({ status, ...checkpoint }).toMatchObject({ status: "running", items: 1, ended: true });
});
