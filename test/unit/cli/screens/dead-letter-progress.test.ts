import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DeadLetterProgress } from "../../../../cli/screens/dlq/dead-letter-progress.ts";

let lines: string[];
beforeEach(() => {
  lines = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

test("without a terminal, a line is printed every two seconds, and none for work that is done sooner", () => {
  const shown = new DeadLetterProgress("Reading", 0);
  shown.show(100, 5_000, 1_999);
  shown.show(1_000, 5_000, 2_000);
  shown.show(1_500, 5_000, 3_000);
  shown.show(2_000, undefined, 4_000);
  shown.end();
  expect(lines).toEqual(["Reading dead letters: 1,000 of 5,000 · 500/s\n", "Reading dead letters: 2,000 · 500/s\n"]);
});

test("returning dead letters to the queue has its own rate", () => {
  const shown = new DeadLetterProgress("Reading", 0);
  shown.showScan({ looked: 4_000, total: 4_000, givenBack: 0 }, 4_000);
  shown.showScan({ looked: 4_000, total: 4_000, givenBack: 10 }, 8_000);
  shown.showScan({ looked: 4_000, total: 4_000, givenBack: 3_000 }, 10_000);
  expect(lines).toEqual([
    "Reading dead letters: 4,000 of 4,000 · 1,000/s\n",
    "Returning dead letters: 10 of 4,000\n",
    "Returning dead letters: 3,000 of 4,000 · 1,500/s\n",
  ]);
});
