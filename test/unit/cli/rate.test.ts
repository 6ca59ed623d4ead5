import { expect, test } from "vitest";
import { ratePerSecond } from "../../../cli/options/rate.ts";
import { limitRows, setLimitText } from "../../../cli/screens/limit-text.ts";
import { EMPTY_STATE } from "../../../shared/limits/advance.ts";
import { heldText, rateText } from "../../../shared/observe/held-text.ts";

test.each([
  ["100/s", 100],
  ["0.5/s", 0.5],
  ["600/min", 10],
  ["3600/h", 1],
  [" 5/s ", 5],
])("%s is %d/s", (text, perSecond) => expect(ratePerSecond(text)).toBe(perSecond));

test.each(["100", "0/s", "-1/s", "1/day", "1e3/s", "/s", ""])("%j is no rate", (text) =>
  expect(() => ratePerSecond(text)).toThrow('such as "100/s", "600/min" or "5000/h"'),
);

test("limits for people", () => {
  expect([19.6, 120.4, 0.05, 1].map(rateText)).toEqual(["19.6/s", "120/s", "0.05/s", "1/s"]);
  expect(setLimitText({ concurrency: 20, perSecond: 100 })).toBe("20 in flight, 100/s");
  expect(setLimitText({})).toBe("");
});

test("the reason why a fleet does not use all its slots", () => {
  expect(heldText({})).toBeUndefined();
  expect(heldText({ slots: 12, reason: "throttled" })).toBe("held at 12 in flight: the service throttles");
  expect(heldText({ slots: 50, reason: "throttled" }, 50)).toBeUndefined();
  // The slots follow from the rate.
  expect(heldText({ slots: 10, perSecond: 19.63, reason: "throttled" })).toBe("held at 19.6/s: the service throttles");
  // Starts are spaced more closely than a set rate, which the tokens keep.
  expect(heldText({ slots: 10, perSecond: 1.1 * 2, reason: "set" })).toBe(
    "held at 2/s: set by hand or by the workflow",
  );
});

test("the limits of a fleet that works, and of one that has stopped", () => {
  const state = { ...EMPTY_STATE, epoch: 5, at: 1_000, limit: { slots: 12, reason: "throttled" } } as const;
  expect(limitRows(EMPTY_STATE, 50, 1_000)).toEqual([
    ["set", "nothing"],
    ["in force", "all slots"],
  ]);
  expect(limitRows({ ...state, set: { perSecond: 2 } }, 50, 3_000)).toEqual([
    ["set", "2/s"],
    ["in force", "held at 12 in flight: the service throttles"],
  ]);
  // What an ended run has left is not in force: the limits may have been cleared since.
  expect(limitRows(state, 50, 121_000)).toEqual([
    ["set", "nothing"],
    ["last in force", "held at 12 in flight: the service throttles (2 min ago)"],
  ]);
});
