import fc from "fast-check";
import { expect, test } from "vitest";
import { hideMilliseconds } from "../../../shared/limits/hiding.ts";

test("messages are hidden for 1 s to 5 min", () => {
  fc.assert(
    fc.property(
      fc.nat(1e6),
      fc.option(fc.double({ min: 0, max: 1e5, noNaN: true }), { nil: undefined }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (backlog, acceptedPerSecond, first, second) => {
        const numbers = [first, second];
        const milliseconds = hideMilliseconds(backlog, acceptedPerSecond, () => numbers.shift() ?? 0.5);
        expect(milliseconds).toBeGreaterThanOrEqual(1_000);
        expect(milliseconds).toBeLessThanOrEqual(300_000);
      },
    ),
  );
});

test("at 1/s and 10,000 messages, a message is received about every 4 minutes", () => {
  expect(hideMilliseconds(10_000, 1, () => 0.5)).toBe(225_000);
});

test("while nothing is known of the service, the messages return soon", () => {
  expect(hideMilliseconds(10_000, undefined, () => 0.5)).toBeLessThan(20_000);
});

test("the last messages return at different times, the more of them the later", () => {
  const hidden = (backlog: number) => [0, 0.5, 1].map((random) => hideMilliseconds(backlog, 10, () => random));
  expect(hidden(0)).toEqual([1_000, 1_000, 1_000]);
  expect(hidden(40)).toEqual([1_000, 1_650, 2_300]);
});
