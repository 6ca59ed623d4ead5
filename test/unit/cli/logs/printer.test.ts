import { stripVTControlCharacters } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import type { LogLine } from "../../../../cli/logs/log-line.ts";
import { LogPrinter } from "../../../../cli/logs/printer.ts";

afterEach(() => {
  vi.restoreAllMocks();
  for (const stream of [process.stdout, process.stderr]) {
    for (const name of ["isTTY", "columns"]) Reflect.deleteProperty(stream, name);
  }
});

const RUN = "20261128-172219-3d00";
const line: LogLine = {
  from: "consumer",
  at: Date.now(),
  level: "warn",
  message: "dead letter",
  fields: { reason: "permanent", failure: "the service refused the item ".repeat(40) },
  run: RUN,
  item: `${RUN}/0/3`,
  attempt: undefined,
};

/** What is printed for the line: on the standard output, and at the end on the standard error. */
function printed(isTTY: boolean, json = false): { readonly output: string; readonly hint: string } {
  Object.assign(process.stdout, { isTTY, columns: 80 });
  let output = "";
  let hint = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    output += text;
    return true;
  });
  vi.spyOn(console, "log").mockImplementation((text) => {
    output += `${text}\n`;
  });
  vi.spyOn(console, "error").mockImplementation((text) => {
    hint += text;
  });
  const printer = new LogPrinter({ run: undefined, item: undefined, onlyErrors: false }, { json });
  printer.print([{ line, run: RUN }]);
  printer.end();
  return { output: stripVTControlCharacters(output), hint };
}

test("a long value takes a few lines of a terminal, broken between words, and a hint says how to see it whole", () => {
  const { output, hint } = printed(true);
  const lines = output.trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(5);
  for (const each of lines) expect(each.length).toBeLessThanOrEqual(80);
  expect(output).toMatch(/… \([\d,]+\s+more\s+characters\)$/m);
  expect(output.replaceAll("\n", " ")).toContain("the service refused the item the service refused the item");
  expect(hint).toContain("--json");
});

test("in a pipe and as JSON, everything is whole, and there is no hint", () => {
  for (const json of [false, true]) {
    const { output, hint } = printed(false, json);
    expect(output).toContain("the service refused the item ".repeat(40));
    expect(output.trimEnd().split("\n")).toHaveLength(1);
    expect(hint).toBe("");
  }
});
