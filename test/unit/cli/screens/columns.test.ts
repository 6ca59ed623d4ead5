import fc from "fast-check";
import stringWidth from "string-width";
import { expect, test } from "vitest";
import { type Column, columns } from "../../../../cli/screens/columns.ts";

const specs: readonly Column[] = [
  { header: "LETTERS", align: "right" },
  { header: "REASON" },
  { header: "ERROR", grow: 1, lines: 2 },
  { header: "EXAMPLE", grow: 1 },
];
const row = ["5", "exhausted", "the service answered 500: the record cannot be read", "dd7e23dc"];

test("a table is as wide as its content if there is room", () => {
  expect(columns(specs, [row, ["10,000", "permanent", "gone", "0b1c"]], { width: 200 })).toBe(
    [
      "LETTERS  REASON     ERROR                                                EXAMPLE",
      "      5  exhausted  the service answered 500: the record cannot be read  dd7e23dc",
      " 10,000  permanent  gone                                                 0b1c",
    ].join("\n"),
  );
});

test("growing columns become narrower: first with more lines, then with an ellipsis", () => {
  expect(columns(specs, [row], { width: 60 }).split("\n")).toEqual([
    "LETTERS  REASON     ERROR                          EXAMPLE",
    "      5  exhausted  the service answered 500: the  dd7e23dc",
    "                    record cannot be read",
  ]);
  expect(columns(specs, [row], { width: 50, indent: "  " }).split("\n")).toEqual([
    "  LETTERS  REASON     ERROR               EXAMPLE",
    "        5  exhausted  the service         dd7e23dc",
    "                      answered 500: the…",
  ]);
});

test("widths are those of a terminal", () => {
  const table = columns(
    [{ header: "A" }, { header: "B" }],
    [
      ["漢字", "x"],
      ["👍🏽", "x"],
      ["é", "x"],
    ],
    { width: 80 },
  );
  expect(table.split("\n").map((line) => stringWidth(line))).toEqual([7, 7, 7, 7]);
});

test("no line is wider than the terminal, whatever its words are", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ maxLength: 9 }), fc.string({ unit: "grapheme", maxLength: 300 })), {
        minLength: 1,
      }),
      fc.integer({ min: 40, max: 200 }),
      (cells, width) => {
        const one = (text: string) => text.replaceAll(/\p{C}|\p{Z}/gu, "");
        const rows = cells.map(([short, long]) => [one(short), one(long)]);
        const table = columns([{ header: "ID" }, { header: "ERROR", grow: 1, lines: 3 }], rows, { width });
        for (const line of table.split("\n")) expect(stringWidth(line)).toBeLessThanOrEqual(width);
      },
    ),
  );
});
