/** The figures of `docs/guides/costs.md` about the limit row. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LimitWatch, type LimitWatchOptions } from "../../../shared/consumer/slots/limit-watch.ts";
import { LIMIT_KEY, LimitRow } from "../../../shared/ledger/limit-row.ts";
import { NO_REPORT } from "../../../shared/limits/report.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { rowSize, WRITE_UNIT_BYTES } from "../../helpers/row-size.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_790_000_000_000 }));
afterEach(() => void vi.useRealTimers());

const SLOTS = 10;

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html */
const MOST_UNITS_OF_ROW = 1_000;

/** Environments that work all the time and share one limit row. */
class Fleet {
  readonly store = new FaultyStore();
  readonly row = new LimitRow(this.store);
  readonly #watches: LimitWatch[] = [];

  async start(environments: number, options: Partial<LimitWatchOptions> = {}): Promise<void> {
    for (let environment = 0; environment < environments; environment++) {
      const watch = new LimitWatch({
        row: this.row,
        member: `member-${environment}`.padEnd(10, "-"),
        concurrency: environments * SLOTS,
        tasksPerEnvironment: SLOTS,
        adaptive: true,
        latency: false,
        now: Date.now,
        random: () => 0.5,
        logger: { warn: () => {} },
        ...options,
      });
      await watch.prepare(500);
      watch.begin({ wanted: () => SLOTS, onChange: () => {} });
      this.#watches.push(watch);
      await vi.advanceTimersByTimeAsync(100);
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.end()));
  }

  /** The updates of the row in so many seconds, also those whose condition fails. */
  async updatesIn(seconds: number): Promise<number> {
    const before = this.store.updates.length;
    await vi.advanceTimersByTimeAsync(seconds * 1_000);
    return this.store.updates.length - before;
  }

  async size(): Promise<number> {
    return rowSize((await this.store.get(LIMIT_KEY)) ?? {});
  }
}

describe("five environments", () => {
  test.each([
    ["that search for a limit", {}],
    // The command `sluice limit` can set a limit at any time.
    ["with `adaptive: false` and without a rate", { adaptive: false }],
  ])("%s make five updates in a second, and the fleet makes one more", async (_, options) => {
    const fleet = new Fleet();
    await fleet.start(5, options);
    expect(await fleet.updatesIn(20)).toBeLessThanOrEqual(20 * (5 + 1));
    expect(await fleet.updatesIn(20)).toBeGreaterThanOrEqual(20 * 5);
    await fleet.end();
  });

  test("without messages make no updates", async () => {
    const fleet = new Fleet();
    await fleet.start(5);
    await fleet.end();
    expect(await fleet.updatesIn(60)).toBe(0);
  });
});

test("while no limit is in force, an update costs one write unit, also after a hundred years of work", async () => {
  const fleet = new Fleet();
  const seconds = 100 * 365 * 24 * 3_600;
  const attempts = 50 * seconds;
  const report = {
    ...NO_REPORT,
    started: attempts,
    succeeded: attempts,
    inFlightMilliseconds: 1_000 * attempts + 7,
    succeededMilliseconds: 1_000 * attempts + 3,
    slotMilliseconds: 1_000 * attempts + 1,
    load: 0.7 * attempts + 0.3,
    loadSquared: 0.51 * attempts + 0.21,
    elapsedMilliseconds: 1_003 * seconds,
  };
  await fleet.row.report("first", { report, note: undefined });
  await fleet.start(5);
  await fleet.updatesIn(10);
  expect(await fleet.size()).toBeLessThanOrEqual(WRITE_UNIT_BYTES);
});

test("100 environments with shares stay below the write units that a row can take in a second", async () => {
  const sizeOf = async (environments: number) => {
    const fleet = new Fleet();
    await fleet.start(environments, { set: { perSecond: 8 * environments } });
    await fleet.updatesIn(8);
    const size = await fleet.size();
    await fleet.end();
    return size;
  };
  const [of4, of12] = [await sizeOf(4), await sizeOf(12)];
  const each = (of12 - of4) / 8;
  expect(each).toBeLessThan(80);
  const unitsOf = (environments: number) => Math.ceil((of4 + (environments - 4) * each) / WRITE_UNIT_BYTES);
  // One update of each environment, and the epoch.
  expect((100 + 1) * unitsOf(100)).toBeLessThan(MOST_UNITS_OF_ROW);
});
