import { expect, test } from "vitest";
import { forwardClock } from "../../../functions/forward-clock.ts";

test("a clock that is set back stands still for a moment and then continues, and one that is set forward jumps", () => {
  let machine = 100_000;
  const now = forwardClock(() => machine);
  const after = (milliseconds: number) => {
    machine += milliseconds;
    return now();
  };
  expect(after(0)).toBe(100_000);
  expect(after(500)).toBe(100_500);
  expect(after(-60_000)).toBe(100_500);
  expect(after(250)).toBe(100_750);
  expect(after(-10)).toBe(100_750);
  expect(after(3_600_000)).toBe(3_700_750);
});
