import { expect, test } from "vitest";
import { measureRow } from "../../../bench/simulation/judge.ts";
import { threeHoursAtOnePerSecond } from "../../../bench/simulation/long-wait.ts";
import { FLEETS, SETTINGS } from "../../../bench/simulation/settings.ts";

/**
 * A short version of `npm run simulate`: one fleet, few seeds, and marks with some slack. The full simulation is run by command.
 */
const LEAST = [
  ["bucket", 0.93, 0.02],
  ["parallel", 0.8, 0.03],
  ["window", 0.85, 0.03],
  ["tenant", 0.88, 0.04],
  ["other-bucket", 0.9, 0.03],
  ["other-steps", 0.88, 0.04],
  ["other-queue", 0.9, 0.05],
  ["queueing", 0.9, 0.001],
] as const;

test.each(LEAST)("%s: goodput of at least %d of the oracle's, and at most %d refused", (name, goodput, refused) => {
  const setting = SETTINGS.find((each) => each.name === name);
  const [, fleet] = FLEETS;
  if (setting === undefined || fleet === undefined) throw new Error(`no setting ${name}`);
  const { figures } = measureRow(setting, "sluice", fleet, 2);
  expect(figures.goodput).toBeGreaterThan(goodput);
  expect(figures.refused).toBeLessThan(refused);
  expect(figures.refusedFirst).toBeLessThanOrEqual(2);
  expect(figures.deaths).toBe(0);
  expect(figures.timeouts).toBe(0);
});

test("a healthy service is used as with fixed slots", () => {
  const setting = SETTINGS.find(({ name }) => name === "healthy");
  const [fleet] = FLEETS;
  if (setting === undefined || fleet === undefined) throw new Error("no setting");
  expect(measureRow(setting, "sluice", fleet, 1).figures.goodput).toBeGreaterThan(0.99);
});

/** `maxReceiveCount` of a workflow with 5 attempts: 100 + 9 × 5. */
const MAX_RECEIVE_COUNT = 145;

test("10,000 items at 1/s for 3 hours: no message comes near maxReceiveCount", () => {
  const { mostReceives, metrics } = threeHoursAtOnePerSecond(1);
  expect(mostReceives).toBeLessThan(0.75 * MAX_RECEIVE_COUNT);
  expect(metrics.deaths).toBe(0);
});
