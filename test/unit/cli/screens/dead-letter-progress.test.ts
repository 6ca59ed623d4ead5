import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Counting } from "../../../../cli/screens/dlq/dead-letter-progress.ts";

let lines: string[];
beforeEach(() => {
  lines = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

test("where no terminal is, a line tells every two seconds how far it has come, and nothing of what is soon done", () => {
  const counting = new Counting("Looking at", 0);
  counting.show(100, 5_000, 1_999);
  counting.show(1_000, 5_000, 2_000);
  counting.show(1_500, 5_000, 3_000);
  counting.show(2_000, undefined, 4_000);
  counting.end();
  expect(lines).toEqual([
    "Looking at dead letters: 1,000 of 5,000 · 500/s\n",
    "Looking at dead letters: 2,000 · 500/s\n",
  ]);
});

test("what is looked at is given back, at a pace of its own", () => {
  const counting = new Counting("Looking at", 0);
  counting.showPass({ looked: 4_000, total: 4_000, givenBack: 0 }, 4_000);
  counting.showPass({ looked: 4_000, total: 4_000, givenBack: 10 }, 8_000);
  counting.showPass({ looked: 4_000, total: 4_000, givenBack: 3_000 }, 10_000);
  expect(lines).toEqual([
    "Looking at dead letters: 4,000 of 4,000 · 1,000/s\n",
    "Giving back dead letters: 10 of 4,000\n",
    "Giving back dead letters: 3,000 of 4,000 · 1,500/s\n",
  ]);
});
