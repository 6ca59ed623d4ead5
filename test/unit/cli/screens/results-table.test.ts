import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { resultsLines } from "../../../../cli/screens/results-table.ts";

const plain = (...args: Parameters<typeof resultsLines>) => resultsLines(...args).map(stripVTControlCharacters);

test("the end of a run says where the results are, and shows the first ones as a table", () => {
  const first = [
    { id: "run-1/0/0", result: { city: "Oslo", solarNoon: "2026-11-28T11:06:00.000Z" } },
    { id: "run-1/0/2", result: { city: "Bra\u001b[31mga", tags: ["a"] } },
  ];
  expect(plain({ rows: 4_985, files: ["results/a.jsonl", "results/b.jsonl"], first })).toEqual([
    "  4,985 results in results/a.jsonl and 1 other file there",
    "    item  city             solarNoon                 tags",
    "    0/0   Oslo             2026-11-28T11:06:00.000Z",
    '    0/2   Bra\\u001b[31mga                            ["a"]',
  ]);
});

test("results that are no objects have one column", () => {
  const first = [{ id: "r/0/0", result: 7 }];
  expect(plain({ rows: 1, files: ["a.jsonl"], first })).toEqual([
    "  1 result in a.jsonl",
    "    item  result",
    "    0/0   7",
  ]);
});
