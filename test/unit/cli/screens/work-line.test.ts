import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { workLine } from "../../../../cli/screens/work-progress.ts";

const line = (...args: Parameters<typeof workLine>) => stripVTControlCharacters(workLine(...args));

test("a bar stands before the facts", () => {
  expect(line("Reading dead letters: 5 of 10", 0.5, 80)).toBe(`${"━".repeat(10)} Reading dead letters: 5 of 10`);
});

test("the bar keeps its width beside long facts, and the line stays shorter than the terminal", () => {
  const facts = "The queue is full (12,345 messages): waiting to send dead letters: 1,234 of 100,000 · 123/s";
  expect(line(facts, 0.01, 80)).toBe(`${"━".repeat(10)} ${facts.slice(0, 68)}`);
  expect(line(facts, 0.01, 80).length).toBeLessThan(80);
});

test("without a total there is no bar, and long facts are cut", () => {
  expect(line("Reading results: 5", undefined, 80)).toBe("Reading results: 5");
  expect(line("x".repeat(100), undefined, 80)).toBe("x".repeat(79));
});
