import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ItemError } from "../../../shared/base/errors.ts";
import { toItemJson, toJson } from "../../../shared/messages/body.ts";
import { isParsedCorrectly } from "../../helpers/json-keys.ts";

const circular: Record<string, unknown> = {};
circular.self = circular;

class Secret {
  readonly #secret: string;
  constructor(secret: string) {
    this.#secret = secret;
  }
  get length() {
    return this.#secret.length;
  }
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

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
  [
    "a toJSON that returns nothing, inside",
    { a: { toJSON: () => undefined } },
    '"a" is an object whose toJSON returns nothing',
  ],
  ["an Error", new Error("x"), "it is an Error, whose message JSON leaves out"],
  ["an Error with fields of its own", Object.assign(new Error("x"), { code: "E" }), "it is an Error"],
  ["an Error inside", { failed: [new TypeError("x")] }, '"0" is an Error'],
  ["an Error of another realm", runInNewContext('new TypeError("x")'), "it is an Error"],
  ["a Map of another realm", runInNewContext("new Map([[1, 2]])"), "it is a Map"],
  ["a DOMException", new DOMException("x"), "it is an Error"],
  ["a WeakMap", new WeakMap(), "it is an instance of WeakMap without own fields"],
  ["what is in private fields", new Secret("x"), "it is an instance of Secret without own fields"],
  [
    "what only getters give",
    {
      at: new (class {
        get x() {
          return 1;
        }
      })(),
    },
    '"at" is an instance of a class without own fields',
  ],
  ["a Headers", { headers: new Headers({ a: "b" }) }, '"headers" is an instance of Headers'],
  [
    "a generator",
    (function* () {
      yield 1;
    })(),
    "without own fields",
  ],
  ["a Buffer", { body: Buffer.from("x") }, '"body" is binary data'],
  ["an invalid Date", { at: new Date(Number.NaN) }, '"at" is an invalid Date'],
  ["a revoked proxy", revoked(), "not JSON-serialisable"],
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

test("takes instances whose data is in fields of their own, as drivers of databases return rows", () => {
  class TextRow {
    id = 1;
    name = "Ada";
  }
  expect(toJson([new TextRow(), runInNewContext("({ a: 1 })"), runInNewContext("({})"), new Object(1), {}])).toBe(
    '[{"id":1,"name":"Ada"},{"a":1},{},1,{}]',
  );
  expect(toJson({ type: "Buffer", data: [1], url: new URL("http://a/b"), none: null })).toBe(
    '{"type":"Buffer","data":[1],"url":"http://a/b","none":null}',
  );
});

test("keeps bigints apart from numbers for a message, and writes them as integers for others", () => {
  expect(toItemJson({ id: 1n, n: 1 })).toEqual({ json: '{"id":1.0,"n":1}', bigints: true });
  expect(toJson({ id: 1n, n: 1 })).toBe('{"id":1,"n":1}');
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
      fc.pre(isParsedCorrectly(JSON.stringify(value)));
      expect(JSON.stringify(JSON.parse(toJson(value)))).toBe(JSON.stringify(value));
    }),
  );
});
