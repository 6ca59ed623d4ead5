import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LimitWatch, type LimitWatchOptions } from "../../../shared/consumer/slots/limit-watch.ts";
import type { StoredLimit } from "../../../shared/ledger/limit-row.ts";
import { EMPTY_STATE } from "../../../shared/limits/advance.ts";
import type { LimitState } from "../../../shared/limits/limit-state.ts";
import { NO_REPORT } from "../../../shared/limits/report.ts";

const BEGUN_AT = 1_000_000;
const LATER = BEGUN_AT + 7_000;

beforeEach(() => void vi.useFakeTimers({ now: BEGUN_AT }));
afterEach(() => void vi.useRealTimers());

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

/** A watch, and a limit row whose content the test decides. No epoch is due, unless the test says so. */
function watching(options: Partial<LimitWatchOptions> = {}) {
  const fleet = { state: { ...EMPTY_STATE, dueAt: LATER } as LimitState, isNewerVersion: false, isDown: false };
  const stored = (): StoredLimit => {
    if (fleet.isDown) throw new Error("down");
    return { state: fleet.state, isNewerVersion: fleet.isNewerVersion, concurrency: 20 };
  };
  const row = {
    read: vi.fn<LimitWatchOptions["row"]["read"]>(async () => stored()),
    report: vi.fn<LimitWatchOptions["row"]["report"]>(async () => stored()),
    leave: vi.fn<LimitWatchOptions["row"]["leave"]>(async () => stored()),
    begin: vi.fn<LimitWatchOptions["row"]["begin"]>(async () => undefined),
  };
  const warn = vi.fn();
  const watch = new LimitWatch({
    row,
    member: "a",
    concurrency: 20,
    tasksPerEnvironment: 10,
    adaptive: true,
    latency: false,
    now: Date.now,
    random: () => 0.5,
    logger: { warn },
    ...options,
  });
  const onChange = vi.fn();
  const begin = (wanted = 7) => watch.begin({ wanted: () => wanted, onChange });
  const times: number[] = [];
  row.report.mockImplementation(async () => {
    times.push(Date.now() - BEGUN_AT);
    return stored();
  });
  return { ...{ fleet, row, warn, watch, begin, onChange, times } };
}

/** A fleet of which this environment has a share. */
const shared = (slots: number, perSecond?: number): LimitState => ({
  ...EMPTY_STATE,
  epoch: 3,
  dueAt: LATER,
  limit: { slots: 4, acceptedPerSecond: 12, ...(perSecond !== undefined && { perSecond: 2 * perSecond }) },
  shares: { a: [{ epoch: 3, slots, ...(perSecond !== undefined && { perSecond }) }] } as LimitState["shares"],
  members: { a: { renewal: 1, epoch: 2, tried: 0, wanted: 1 } } as LimitState["members"],
});

describe("the row's answer when an environment starts", () => {
  test("says for three seconds that no limit is in force", async () => {
    const { watch, row } = watching();
    expect(watch.isFree).toBe(false);
    await watch.prepare(500);
    expect(row.read).toHaveBeenCalledOnce();
    expect([watch.isFree, watch.inForce, watch.startsPerSecond, watch.acceptedPerSecond]).toEqual([
      true,
      expect.objectContaining({ slots: undefined, perSecond: undefined }),
      undefined,
      undefined,
    ]);
    await pass(2_999);
    expect(watch.isFree).toBe(true);
    await pass(1);
    expect(watch.isFree).toBe(false);
  });

  test("does not hold after the clock was set back", async () => {
    const { watch } = watching();
    await watch.prepare(500);
    vi.setSystemTime(BEGUN_AT - 1);
    expect(watch.isFree).toBe(false);
  });

  test("says which limit is in force", async () => {
    const { watch, fleet } = watching();
    expect([watch.inForce, watch.startsPerSecond, watch.acceptedPerSecond]).toEqual([{}, undefined, undefined]);
    fleet.state = shared(2, 5);
    await watch.prepare(500);
    expect([watch.isFree, watch.inForce, watch.startsPerSecond, watch.acceptedPerSecond]).toEqual([
      false,
      { slots: 4, perSecond: 10, acceptedPerSecond: 12 },
      5,
      12,
    ]);
    fleet.state = { ...shared(2, 5), shares: {} };
    await watch.prepare(500);
    expect(watch.startsPerSecond).toBeUndefined();
  });

  test("is waited for as long as the caller says, also if it never comes", async () => {
    const { watch, row } = watching();
    row.read.mockReturnValue(new Promise(() => {}));
    await watch.prepare(5);
    row.read.mockRejectedValue(new Error("down"));
    await watch.prepare(500);
    expect(watch.isFree).toBe(false);
  });
});

describe("the updates of an invocation", () => {
  test("begin at once if nothing is known, and follow each other after a second", async () => {
    const { begin, times, onChange, row } = watching();
    begin();
    expect(times).toEqual([0]);
    await pass(3_500);
    expect(times).toEqual([0, 1_000, 2_000, 3_000]);
    expect(onChange).toHaveBeenCalledTimes(4);
    expect(row.report.mock.calls.map(([member]) => member)).toEqual(["a", "a", "a", "a"]);
    expect(row.begin).not.toHaveBeenCalled();
  });

  test.each([
    [0, [0, 950, 1_900]],
    [1, [0, 1_050, 2_100]],
  ])("are spread: with the random number %d they come at %j", async (random, expected) => {
    const { begin, times } = watching({ random: () => random });
    begin();
    await pass(2_500);
    expect(times).toEqual(expected);
  });

  test.each([
    // A second after the latest answer.
    [100, 1_000],
    // Not before the first tasks have begun.
    [1_900, 1_950],
    // While the latest answer still says for a second that no limit is in force.
    [1_980, 2_000],
    [2_500, 2_500],
  ])("begin, after an answer that is %d ms old, at %d ms", async (age, expected) => {
    const { watch, begin, times } = watching();
    await watch.prepare(500);
    await pass(age);
    begin();
    await pass(1_000);
    expect(times[0]).toBe(expected);
  });

  test("end with the invocation", async () => {
    const { watch, begin, times, row } = watching();
    begin();
    await pass(500);
    await watch.end();
    await pass(5_000);
    expect(times).toEqual([0]);
    // The row does not name the environment, so there is nothing to remove.
    expect(row.leave).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("do not follow an update that is answered after the end", async () => {
    const { watch, begin, row, onChange } = watching();
    const { promise, resolve } = Promise.withResolvers<StoredLimit>();
    row.report.mockReturnValue(promise);
    begin();
    await watch.end();
    resolve({ state: { ...EMPTY_STATE, dueAt: LATER }, isNewerVersion: false, concurrency: 20 });
    await pass(5_000);
    expect(row.report).toHaveBeenCalledOnce();
    expect(onChange).toHaveBeenCalledOnce();
  });

  test("are not made twice at the same time", async () => {
    const { begin, row } = watching();
    row.report.mockReturnValue(new Promise(() => {}));
    begin();
    begin();
    await pass(5_000);
    expect(row.report).toHaveBeenCalledOnce();
  });

  test("that fail are reported once, and tried again", async () => {
    const { fleet, begin, warn, times, onChange } = watching();
    fleet.isDown = true;
    begin();
    await pass(2_500);
    expect(times).toEqual([0, 1_000, 2_000]);
    expect(onChange).not.toHaveBeenCalled();
    expect(warn.mock.calls).toEqual([
      ["the fleet's limit could not be updated, the next try follows", { error: new Error("down") }],
    ]);
    fleet.isDown = false;
    await pass(1_000);
    expect(onChange).toHaveBeenCalledOnce();
  });
});

describe("while a limit is in force", () => {
  /** An invocation whose environment has a share, and is named in the row. */
  async function limited(slots = 4, perSecond?: number) {
    const rig = watching();
    rig.fleet.state = shared(slots, perSecond);
    await rig.watch.prepare(500);
    rig.begin();
    await pass(0);
    await pass(1_100);
    return rig;
  }

  test("the environment says how many slots it wants, and uses its share", async () => {
    const { row } = await limited(3);
    expect(row.report.mock.calls.at(-1)?.[1].note).toMatchObject({ wanted: 7, epoch: 3 });
  });

  test("its end removes it from the row, with its last report", async () => {
    const { watch, row } = await limited();
    await watch.end();
    expect(row.leave.mock.calls).toEqual([["a", expect.objectContaining({ started: 0 })]]);
    expect(vi.getTimerCount()).toBe(0);
    // It is not in the row any more.
    await watch.end();
    expect(row.leave).toHaveBeenCalledOnce();
  });

  test("its end waits for the update in flight, and does not fail if the row is down", async () => {
    const { watch, row, fleet } = await limited();
    const { promise, resolve } = Promise.withResolvers<StoredLimit>();
    row.report.mockReturnValue(promise);
    await pass(1_000);
    const ended = watch.end();
    await pass(0);
    expect(row.leave).not.toHaveBeenCalled();
    fleet.isDown = true;
    resolve({ state: fleet.state, isNewerVersion: false, concurrency: 20 });
    await ended;
    expect(row.leave).toHaveBeenCalledOnce();
  });

  test("its coming end is announced at once, and its leave too", async () => {
    const { watch, row } = await limited();
    const reports = row.report.mock.calls.length;
    watch.announceEnd();
    expect(row.report).toHaveBeenCalledTimes(reports + 1);
    expect(row.report.mock.calls.at(-1)?.[1].note).toMatchObject({ isEnding: true });
    await pass(0);
    watch.leave();
    expect(row.report).toHaveBeenCalledTimes(reports + 2);
    expect(row.report.mock.calls.at(-1)?.[1].note).toMatchObject({ isLeaving: true });
    await pass(0);
    expect(watch.limit.mayStart(Date.now())).toEqual({ tag: "full" });
  });

  test("an environment that has left reports before it starts anything in its next invocation", async () => {
    const { watch, row, fleet, begin } = await limited();
    watch.leave();
    await pass(0);
    await watch.end();
    // Since then, no limit is in force.
    fleet.state = { ...EMPTY_STATE, dueAt: LATER };
    await watch.prepare(500);
    expect(watch.isFree).toBe(true);
    const reports = row.report.mock.calls.length;
    begin();
    expect(row.report).toHaveBeenCalledTimes(reports + 1);
    await pass(0);
    await watch.end();
    begin();
    expect(row.report).toHaveBeenCalledTimes(reports + 1);
  });

  test("an environment without a share asks again after a second, and not at once", async () => {
    const { watch, row, fleet, begin } = watching();
    fleet.state = {
      ...shared(0),
      shares: { b: [{ epoch: 3, slots: 4 }] } as LimitState["shares"],
      members: { b: { renewal: 1, epoch: 3, tried: 3, wanted: 4 } } as LimitState["members"],
    };
    begin();
    await pass(0);
    await watch.end();
    const reports = row.report.mock.calls.length;
    begin();
    await pass(999);
    expect(row.report).toHaveBeenCalledTimes(reports);
    await pass(1);
    expect(row.report).toHaveBeenCalledTimes(reports + 1);
  });

  test("an environment that has left starts nothing before the first update of its next invocation is answered", async () => {
    const { watch, row, fleet, begin } = await limited();
    const mayStart = () => watch.limit.mayStart(Date.now()).tag;
    // The share of an epoch that began while the environment worked is in force.
    const giveShare = (epoch: number) => {
      fleet.state = { ...shared(4), epoch, shares: { a: [{ epoch, slots: 4 }] } as LimitState["shares"] };
    };
    giveShare(4);
    await pass(1_000);
    expect(mayStart()).toBe("start");
    watch.leave();
    await pass(0);
    expect(mayStart()).toBe("full");
    await watch.end();
    const { promise, resolve } = Promise.withResolvers<StoredLimit>();
    row.report.mockReturnValueOnce(promise);
    begin();
    // Others may have got the share in between.
    expect(mayStart()).toBe("full");
    resolve({ state: fleet.state, isNewerVersion: false, concurrency: 20 });
    await pass(500);
    giveShare(5);
    await pass(1_000);
    expect(mayStart()).toBe("start");
  });

  test("slots that nobody has are asked for at once: a second update names the environment", async () => {
    const { row, fleet, begin, times } = watching();
    fleet.state = { ...EMPTY_STATE, epoch: 3, dueAt: LATER, limit: { slots: 4 } };
    begin(7);
    await pass(0);
    expect(times).toEqual([0, 0]);
    const notes = row.report.mock.calls.map(([, { note }]) => note);
    expect(notes).toEqual([undefined, expect.objectContaining({ wanted: 7 })]);
  });

  test("an environment that is not in the row announces nothing", async () => {
    const { watch, row, fleet, begin } = watching();
    fleet.state = {
      ...shared(0),
      shares: { b: [{ epoch: 3, slots: 4 }] } as LimitState["shares"],
      members: { b: { renewal: 1, epoch: 3, tried: 3, wanted: 4 } } as LimitState["members"],
    };
    begin();
    await pass(0);
    const reports = row.report.mock.calls.length;
    watch.announceEnd();
    await pass(0);
    expect(row.report).toHaveBeenCalledTimes(reports);
  });

  test("nothing is announced between invocations, or while no limit is in force", async () => {
    const limitedRig = await limited();
    await limitedRig.watch.end();
    const reports = limitedRig.row.report.mock.calls.length;
    limitedRig.watch.announceEnd();
    limitedRig.watch.leave();
    await pass(0);
    expect(limitedRig.row.report).toHaveBeenCalledTimes(reports);
    const free = watching();
    await free.watch.prepare(500);
    free.begin();
    free.watch.announceEnd();
    free.watch.leave();
    await pass(0);
    expect(free.row.report).not.toHaveBeenCalled();
    expect(free.watch.limit.mayStart(Date.now())).toEqual({ tag: "start" });
    await pass(2_500);
    expect(free.times).toEqual([...free.times.slice(0, 1), ...free.times.slice(0, 1).map((time) => time + 1_000)]);
  });
});

describe("an epoch that is due", () => {
  test("is begun by the environment whose update finds it due, which uses the answer", async () => {
    const { fleet, row, begin, watch, onChange } = watching();
    fleet.state = EMPTY_STATE;
    row.begin.mockImplementation(async () => ({ state: shared(2), isNewerVersion: false, concurrency: 20 }));
    begin();
    await pass(0);
    expect(row.begin.mock.calls).toEqual([[expect.objectContaining({ epoch: 1 }), 20]]);
    expect(watch.inForce.slots).toBe(4);
    expect(onChange).toHaveBeenCalledTimes(2);
  });

  describe("while others hold the whole limit", () => {
    const held = (changes: Partial<LimitState> = {}): LimitState => ({
      ...shared(0),
      shares: { b: [{ epoch: 3, slots: 4 }] } as LimitState["shares"],
      members: { b: { renewal: 1, epoch: 3, tried: 3, wanted: 4 } } as LimitState["members"],
      ...changes,
    });

    test("is waited for before messages are refused, because it may give the environment a share", async () => {
      const { fleet, row, begin, onChange } = watching();
      fleet.state = held({ dueAt: 0 });
      const { promise, resolve } = Promise.withResolvers<StoredLimit>();
      row.begin.mockReturnValue(promise);
      begin();
      await pass(0);
      expect(row.begin).toHaveBeenCalledOnce();
      expect(onChange).not.toHaveBeenCalled();
      resolve({ state: fleet.state, isNewerVersion: false, concurrency: 20 });
      await pass(0);
      expect(onChange).toHaveBeenCalledOnce();
    });

    test("is not waited for if it is not due", async () => {
      const { fleet, begin, onChange } = watching();
      fleet.state = held();
      begin();
      await pass(0);
      expect(onChange).toHaveBeenCalledOnce();
    });

    test("ends the share of a member that has not renewed it for three seconds", async () => {
      const { fleet, row, begin } = watching({ set: { concurrency: 4 } });
      fleet.state = held({ dueAt: 0 });
      begin();
      await pass(2_999);
      expect(row.begin.mock.calls.flatMap(([{ gone }]) => gone)).toEqual([]);
      await pass(1);
      expect(row.begin.mock.calls.at(-1)?.[0].gone).toEqual(["b"]);
    });
  });

  test("changes nothing if another environment was faster", async () => {
    const { fleet, row, begin, watch, onChange } = watching();
    fleet.state = EMPTY_STATE;
    begin();
    await pass(0);
    expect(row.begin).toHaveBeenCalledOnce();
    expect(watch.inForce.slots).toBeUndefined();
    expect(onChange).toHaveBeenCalledTimes(2);
  });

  test("is not begun by code of an older version", async () => {
    const { fleet, row, begin, onChange } = watching();
    fleet.state = EMPTY_STATE;
    fleet.isNewerVersion = true;
    begin();
    await pass(0);
    expect(row.begin).not.toHaveBeenCalled();
    expect(onChange).toHaveBeenCalledOnce();
  });

  test.each([
    [1_000, 1_000],
    [1_100, 1_100],
    [1_199, 1_199],
    [1_200, 1_000],
    [900, 1_000],
  ])("at %d ms is met by an update at %d ms", async (due, expected) => {
    const { fleet, begin, times } = watching();
    fleet.state = { ...EMPTY_STATE, epoch: 1, dueAt: BEGUN_AT + due };
    begin();
    await pass(1_500);
    expect(times[1]).toBe(expected);
  });
});

describe("the first throttle", () => {
  test("is reported at once, and others within a second are not", async () => {
    const { watch, begin, times } = watching();
    await watch.prepare(500);
    begin();
    await pass(10);
    watch.noteThrottle();
    watch.noteThrottle();
    await pass(500);
    watch.noteThrottle();
    await pass(0);
    expect(times).toEqual([10]);
    await pass(550);
    watch.noteThrottle();
    await pass(0);
    expect(times.at(-1)).toBe(1_060);
    // From then on, the updates follow each other after a second again.
    await pass(3_000);
    expect(times.slice(times.indexOf(1_060))).toEqual([1_060, 2_060, 3_060, 4_060]);
  });

  test("makes an environment careful that begins then, unless the search is off", async () => {
    for (const adaptive of [true, false]) {
      const { watch, fleet } = watching({ adaptive });
      fleet.state = { ...fleet.state, counted: { ...NO_REPORT, throttled: 1 } };
      await watch.prepare(500);
      expect(watch.limit.size(Date.now())).toBe(adaptive ? 1 : 10);
    }
  });

  test("is avoided with `latency: true`: half of the slots are used until it is known how long attempts take", async () => {
    const { watch } = watching({ latency: true });
    await watch.prepare(500);
    expect(watch.limit.size(Date.now())).toBe(5);
  });

  test("of a probe of the rate is reported at once, so that the probe ends", async () => {
    const { watch, begin, times, fleet } = watching();
    await watch.prepare(500);
    const { limit, shares, ...rest } = shared(2);
    fleet.state = {
      ...rest,
      limit: { ...limit, perSecond: 20, safePart: 0.9 },
      shares: Object.fromEntries(
        Object.entries(shares).map(([member, given]) => [member, given.map((share) => ({ ...share, perSecond: 20 }))]),
      ),
    };
    begin();
    await pass(1_110);
    expect(watch.limit.isRateProbed).toBe(true);
    const before = times.length;
    watch.noteThrottle();
    watch.noteThrottle();
    await pass(0);
    expect(times).toHaveLength(before + 1);
  });

  test("hastens nothing while a limit is in force, or between two invocations", async () => {
    const { watch, begin, times, fleet } = watching();
    await watch.prepare(500);
    watch.noteThrottle();
    await pass(0);
    expect(times).toEqual([]);
    fleet.state = shared(2);
    begin();
    await pass(1_010);
    const before = times.length;
    watch.noteThrottle();
    await pass(0);
    expect(times).toHaveLength(before);
  });
});
