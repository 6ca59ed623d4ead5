import { expect, test } from "vitest";
import type { EpochTotals } from "../../../shared/limits/controller.ts";
import type { SlowState } from "../../../shared/limits/controller-state.ts";
import { NO_REPORT } from "../../../shared/limits/report.ts";
import { slowService } from "../../../shared/limits/slow-service.ts";

const CONCURRENCY = 100;

/** What a service with so many workers does with the slots that the fleet uses. Each request takes 300 ms. */
function answered(workers: number, slots: number) {
  const perSecond = Math.min(workers, slots) / 0.3;
  return { perSecond, milliseconds: (1_000 * slots) / perSecond };
}

interface Part {
  /** The part of an epoch for which reports arrive: an environment reports once in some epochs, and twice in others. */
  readonly reported?: (epoch: number) => number;
  readonly epochs: number;
  readonly workers: number;
}

function run({ workers, epochs, reported = () => 1 }: Part): readonly SlowState[] {
  const states: SlowState[] = [];
  let state: SlowState | undefined;
  // The attempts of an epoch started at the level before.
  let slots = CONCURRENCY;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const { perSecond, milliseconds } = answered(workers, slots);
    const part = reported(epoch);
    const totals: EpochTotals = {
      epoch,
      from: 1_000 * epoch,
      to: 1_000 * (epoch + 1),
      members: 1,
      holders: 1,
      mostTriedEpoch: epoch,
      counted: {
        ...NO_REPORT,
        succeeded: part * perSecond,
        succeededMilliseconds: part * perSecond * milliseconds,
        inFlightMilliseconds: part * slots * 1_000,
        slotMilliseconds: part * slots * 1_000,
        heldMilliseconds: state === undefined ? 0 : part * 1_000,
      },
    };
    state = slowService(state, totals, CONCURRENCY);
    if (state !== undefined) states.push(state);
    slots = state?.level ?? CONCURRENCY;
  }
  return states;
}

test("the first level is what the fleet uses, so a fleet that starts does not grow further", () => {
  expect(run({ workers: 20, epochs: 1 })[0]).toMatchObject({ phase: "down", level: 100 });
});

test("the slots are halved until that costs throughput, and so the best duration is found", () => {
  const states = run({ workers: 20, epochs: 60 });
  expect(Math.min(...states.map(({ level }) => level))).toBeLessThan(20);
  expect(states.at(-1)?.best).toBeCloseTo(300, 0);
  expect(states.at(-1)?.level).toBeGreaterThanOrEqual(20);
  // 1.5 times the best duration.
  expect(states.at(-1)?.level).toBeLessThanOrEqual(31);
});

test("it does not matter that an environment reports once in some epochs, and twice in others", () => {
  const states = run({ workers: 20, epochs: 60, reported: (epoch) => (epoch % 2 === 0 ? 0.5 : 1.5) });
  expect(states.at(-1)?.best).toBeCloseTo(300, 0);
  for (const { throughput } of states) if (throughput > 0) expect(throughput).toBeCloseTo(20 / 0.3);
});

test("a level is judged by attempts that started at it, and not by those that had waited before", () => {
  // At 100 slots, an attempt takes 1.5 s, so those that end in the next two epochs had started before the cut.
  const states = run({ workers: 20, epochs: 12 });
  const begunAt = (level: number) => states.find((state) => state.level === level)?.levelEpoch ?? Number.NaN;
  expect(begunAt(25) - begunAt(50)).toBeGreaterThan(2);
});

const steady: SlowState = { phase: "steady", level: 25, levelEpoch: 3, best: 300, throughput: 66, age: 4 };
const epochOf = (epoch: number, succeeded: number, milliseconds: number): EpochTotals => ({
  ...{ epoch, from: 1_000 * epoch, to: 1_000 * (epoch + 1), members: 1, holders: 1, mostTriedEpoch: epoch },
  counted: {
    ...NO_REPORT,
    ...{ succeeded, succeededMilliseconds: succeeded * milliseconds, heldMilliseconds: 1_000 },
    ...{ inFlightMilliseconds: 25_000, slotMilliseconds: 25_000 },
  },
});

test("a level with few attempts is judged after several epochs", () => {
  let state: SlowState | undefined = steady;
  const levels: (number | undefined)[] = [];
  for (let epoch = 9; epoch < 13; epoch++) {
    state = slowService(state, epochOf(epoch, 5, 900), CONCURRENCY);
    levels.push(state?.level);
  }
  // 1.5 × the best duration ÷ the present one.
  expect(levels).toEqual([25, 25, 25, 13]);
});

/** The levels from a best duration that chance has found, if the service needs `durationAt(level)` for each attempt. */
function followed(epochs: number, durationAt: (level: number) => number): readonly SlowState[] {
  const states: SlowState[] = [];
  let state: SlowState | undefined = { ...steady, best: 150, mean: 150 };
  for (let epoch = 9; epoch < 9 + epochs; epoch++) {
    const { level = 0 }: Partial<SlowState> = state ?? {};
    state = slowService(state, epochOf(epoch, (1_000 * level) / durationAt(level), durationAt(level)), CONCURRENCY);
    if (state !== undefined) states.push(state);
  }
  return states;
}

test("a best duration that was chance is given up once half of the slots make no attempt shorter", () => {
  const states = followed(40, () => 300);
  expect(Math.min(...states.map(({ level }) => level))).toBeGreaterThan(8);
  expect(states.at(-1)?.best).toBeGreaterThan(225);
  expect(states.at(-1)?.level).toBeGreaterThan(25);
});

test("a best duration is kept while fewer slots make attempts shorter", () => {
  // 4 workers: attempts wait at every level above.
  const states = followed(10, (level) => Math.max(150, 37.5 * level));
  expect(states.every(({ best }) => best === 150)).toBe(true);
});

test("cuts from before the best duration was looked for again do not count", () => {
  const searching: SlowState = { ...steady, phase: "down", mean: 300, fallFrom: { level: 90, mean: 300 } };
  expect(slowService(searching, epochOf(9, 66, 450), CONCURRENCY)).toMatchObject({
    phase: "steady",
    fallFrom: undefined,
  });
});

test("the level grows by half while no attempt waits", () => {
  expect(slowService(steady, epochOf(9, 83, 300), CONCURRENCY)?.level).toBe(38);
  expect(slowService(steady, epochOf(9, 83, 400), CONCURRENCY)?.level).toBe(26);
});

test("the best duration is looked for again, and less and less often while nothing better is found", () => {
  const states = run({ workers: 20, epochs: 200 });
  const searches = states.filter(({ phase }, place) => phase === "down" && states[place - 1]?.phase === "steady");
  expect(searches.map(({ refresh }) => refresh).slice(0, 3)).toEqual([30, 60, 120]);
});

test("the state of older code, without the newer figures, goes on", () => {
  expect(slowService(steady, epochOf(9, 66, 450), CONCURRENCY)).toMatchObject({ phase: "steady", best: 300, age: 5 });
});
