import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Columns } from "../../../shared/results/csv-columns.ts";
import { FieldNames } from "../../../shared/results/field-names.ts";
import { TextBuffer } from "../../../shared/results/text-buffer.ts";

const line = (result: unknown, more = {}) => Buffer.from(`${JSON.stringify({ id: "run-1/0/0", result, ...more })}\n`);

describe("a row is recognised", () => {
  const names = new FieldNames(["a", 'b"c', "ü"]);

  test.for([
    [{ a: 1, 'b"c': 2, ü: 3 }],
    [{ a: null, 'b"c': true, ü: -1.5e-7 }],
    [{ a: 'x"y\\', 'b"c': "\\\\", ü: "" }],
    [{ a: { d: [1, { e: '}]",' }] }, 'b"c': [], ü: {} }],
    // Fewer fields bring no new column.
    [{ a: "text" }],
    [{ a: 1, 'b"c': [[["deep"]]] }],
  ])("if it has the same fields in the same order: %j", ([result]) => {
    expect(names.matches(line(result, { attempts: 1, item: { z: 1 } }))).toBe(true);
  });

  test.for([
    [{ a: 1, d: 2 }],
    [{ 'b"c': 2, a: 1 }],
    [{ a: 1, 'b"c': 2, ü: 3, more: 4 }],
    [{ ab: 1 }],
    [[{ a: 1 }]],
    ['","result":{"a":1}'],
    [null],
  ])("and not if it has another one: %j", ([result]) => {
    expect(names.matches(line(result))).toBe(false);
  });

  test("and not if the text of an id only looks like a result", () => {
    const text = JSON.stringify({ id: 'run-1","result":{"a":1}', result: { other: 1 } });
    expect(names.matches(Buffer.from(`${text}\n`))).toBe(false);
  });
});

test("the columns are those of all fields, in the order of their first appearance", () => {
  const result = fc.oneof(
    fc.dictionary(fc.constantFrom("a", "b", "c", '"', "\\", "a,b"), fc.jsonValue(), { maxKeys: 4 }),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.array(result, { maxLength: 12 }), (results) => {
      const columns = new Columns();
      const expected = new Set<string>();
      for (const each of results) {
        columns.learn(line(each));
        const parsed: unknown = JSON.parse(JSON.stringify(each));
        const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
        for (const name of isObject ? Object.keys(parsed) : ["result"]) expected.add(name);
      }
      expect(columns.names).toEqual([...expected]);
    }),
  );
});

test("texts of any length become one UTF-8 text, and what was taken stays as it is", () => {
  const buffer = new TextBuffer(4);
  for (const text of ["a", "", "äöü", "😀".repeat(10)]) buffer.add(text);
  expect(buffer.length).toBe(Buffer.byteLength("aäöü") + 40);
  const taken = buffer.take();
  buffer.add("other");
  expect(taken.toString()).toBe(`aäöü${"😀".repeat(10)}`);
  expect(buffer.take().toString()).toBe("other");
});
