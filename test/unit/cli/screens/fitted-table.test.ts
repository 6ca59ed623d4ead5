import { expect, test, vi } from "vitest";
import { fittedTable } from "../../../../cli/screens/dlq/fitted-table.ts";

/** A header, and three lines for each row; two lines for a dense row. */
const draw = vi.fn((rows: readonly string[], isDense: boolean) =>
  ["header", ...rows.flatMap((row) => (isDense ? [row, "more"] : [row, "more", ""]))].join("\n"),
);
const rows = ["a", "b", "c", "d"];

test("rows are drawn in full where there is room for all of them, and where the output is no terminal", () => {
  const whole = { text: draw(rows, false), shown: 4 };
  expect(fittedTable(rows, 13, draw)).toEqual(whole);
  expect(fittedTable(rows, undefined, draw)).toEqual(whole);
});

test("rows are dense if only dense rows fit", () => {
  expect(fittedTable(rows, 12, draw)).toEqual({ text: draw(rows, true), shown: 4 });
  expect(fittedTable(rows, 9, draw)).toEqual({ text: draw(rows, true), shown: 4 });
});

test("only the first rows are drawn if dense rows do not fit either, but at least one", () => {
  expect(fittedTable(rows, 8, draw)).toEqual({ text: "header\na\nmore\nb\nmore\nc\nmore", shown: 3 });
  expect(fittedTable(rows, 6, draw)).toEqual({ text: "header\na\nmore\nb\nmore", shown: 2 });
  expect(fittedTable(rows, 1, draw)).toEqual({ text: "header\na\nmore", shown: 1 });
  expect(fittedTable(rows, -5, draw).shown).toBe(1);
});
