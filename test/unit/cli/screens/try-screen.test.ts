import { afterEach, expect, test, vi } from "vitest";
import { TryScreen } from "../../../../cli/screens/try-screen.ts";

afterEach(() => {
  vi.restoreAllMocks();
  for (const name of ["isTTY", "rows"]) Reflect.deleteProperty(process.stdout, name);
});

/** Prints a page, an item of so many lines, and a summary. Returns what is printed at the end. */
function endOf(lines: number, terminal: { readonly isTTY: boolean; readonly rows: number }): readonly string[] {
  Object.assign(process.stdout, terminal);
  const printed: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text) => {
    printed.push(text);
  });
  const screen = new TryScreen();
  screen.begin('the page\n  warning missing: "email"');
  screen.print(Array.from({ length: lines }, () => "a line").join("\n"));
  screen.end("\n1 item tried");
  return printed.slice(2);
}

test("the page stands above the summary again if it has scrolled away", () => {
  const terminal = { isTTY: true, rows: 24 };
  expect(endOf(18, terminal)).toEqual(["\n1 item tried"]);
  expect(endOf(19, terminal)).toEqual(['\nthe page\n  warning missing: "email"', "\n1 item tried"]);
});

test("a file or a pipe gets the page once", () => {
  expect(endOf(100, { isTTY: false, rows: 24 })).toEqual(["\n1 item tried"]);
});
