import { afterEach, expect, test, vi } from "vitest";
import { Redrawn } from "../../../../cli/screens/redrawn.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  for (const name of ["isTTY", "columns", "rows"]) Reflect.deleteProperty(process.stdout, name);
});

/** Shows the texts one after another on a terminal of 80 × 24, and returns what was written for each of them. */
function written(...texts: readonly string[]): readonly string[] {
  Object.assign(process.stdout, { isTTY: true, columns: 80, rows: 24 });
  let current = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    current += text;
    return true;
  });
  vi.spyOn(console, "log").mockImplementation((text) => {
    current += `${text}\n`;
  });
  const screen = new Redrawn();
  return texts.map((text) => {
    current = "";
    screen.show(text);
    return current;
  });
}

const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${index}`).join("\n");

test("each text replaces the one before", () => {
  expect(written(lines(3), lines(2))).toEqual([`${lines(3)}\n`, `\u001b[3A\u001b[J${lines(2)}\n`]);
});

test("a text that is higher than the terminal keeps its first lines, and the next one replaces all of it", () => {
  const [first = "", second = ""] = written(lines(40), lines(2));
  expect(first).toBe(`${lines(22)}\n…\n`);
  expect(second).toBe(`\u001b[23A\u001b[J${lines(2)}\n`);
});

test("a text of 23 lines fits on 24 rows with the cursor below it", () => {
  expect(written(lines(23))).toEqual([`${lines(23)}\n`]);
});
