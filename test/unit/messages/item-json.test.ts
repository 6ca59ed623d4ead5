import fc from "fast-check";
import { expect, test } from "vitest";
import { ItemError } from "../../../shared/errors.ts";
import { toJson } from "../../../shared/messages/body.ts";

const circular: Record<string, unknown> = {};
circular.self = circular;

class Throws {
  readonly #thrown: unknown;
  constructor(thrown: unknown) {
    this.#thrown = thrown;
  }
  toJSON() {
    throw this.#thrown;
  }
}

test.each([
  ["a BigInt", 1n, "it is a BigInt"],
  ["a BigInt inside", { id: 1n }, '"id" is a BigInt'],
  ["NaN", Number.NaN, "it is NaN"],
  ["NaN inside", [{ size: Number.NaN }], '"size" is NaN'],
  ["Infinity", Number.NEGATIVE_INFINITY, "it is -Infinity"],
  ["a function", () => {}, "it is a function"],
  ["a method", { run() {} }, '"run" is a function'],
  ["a symbol", Symbol("s"), "it is a symbol"],
  ["a Map", new Map([[1, 2]]), "it is a Map"],
  ["a Set", { tags: new Set() }, '"tags" is a Set'],
  ["a promise", { city: Promise.resolve() }, '"city" is a Promise (is an await missing?)'],
  ["a RegExp", /a/, "it is a RegExp"],
  ["bytes", { bytes: new Uint8Array(2) }, '"bytes" is binary data'],
  ["an ArrayBuffer", new ArrayBuffer(2), "it is binary data"],
  ["undefined", undefined, "it is undefined"],
  ["undefined in an array", { row: ["a", undefined] }, '"1" is undefined, in an array'],
  // biome-ignore lint/suspicious/noSparseArray: this is the case.
  ["a hole in an array", [1, , 3], '"1" is undefined, in an array'],
  ["a circle", circular, "circular"],
  ["a toJSON that throws an error", new Throws(new Error("no luck")), "no luck"],
  ["a toJSON that throws undefined", { a: new Throws(undefined) }, "not JSON-serialisable"],
  ["a toJSON that throws null", new Throws(null), "not JSON-serialisable"],
  ["a toJSON that returns nothing", { toJSON: () => undefined }, "it is "],
])("refuses %s", (_, value, says) => {
  const attempt = () => toJson(value);
  expect(attempt).toThrow(ItemError);
  expect(attempt).toThrow(says);
  expect(attempt).toThrow(expect.objectContaining({ code: "INVALID_ITEM" }));
});

test("refuses what is nested too deeply to be written", () => {
  let deep: unknown = 0;
  for (let depth = 0; depth < 100_000; depth++) deep = [deep];
  expect(() => toJson(deep)).toThrow(ItemError);
});

test("takes what JSON keeps, and what says how it is written", () => {
  expect(toJson({ at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
  expect(toJson({ a: undefined, b: null })).toBe('{"b":null}');
  expect(toJson("")).toBe('""');
  expect(toJson(null)).toBe("null");
  expect(toJson(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}');
});

test("any JSON value comes back the same", () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
      expect(JSON.stringify(JSON.parse(toJson(value)))).toBe(JSON.stringify(value));
    }),
  );
});
