import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import {
  fromStoredText,
  jsonText,
  parseBigints,
  parseJson,
  parseMarkedJson,
  toEditableText,
  toExactText,
  toStoredText,
  UnsafeNumberError,
} from "../../../shared/base/exact-json.ts";
import { isParsedCorrectly } from "../../helpers/json-keys.ts";

describe("parseJson", () => {
  test.each([
    ["an integer beyond 2^53", "12345678901234567", "round"],
    ["the first unsafe integer", "9007199254740992", "round"],
    ["a negative one", "-9007199254740993", "round"],
    ["a number beyond all doubles", "1e400", "read as Infinity"],
    ["a number below all doubles", "-1.5e-400", "read as 0"],
    ["a fraction beyond 2^53", "12345678901234567.5", "read as 12345678901234568"],
    ["a short fraction beyond 2^53", "9007199254740993.5", "read as 9007199254740994"],
    ["an integer with an exponent", "9007199254740993e0", "read as 9007199254740992"],
    ["a fraction of 18 digits", "0.123456789012345678", "read as 0.12345678901234568"],
  ])("refuses %s at every place, and states what it would become", (_, number, becomes) => {
    for (const text of [number, ` ${number} `, `[1,${number}]`, `{"id":${number}}`, `{"a":[\n\t${number}]}`]) {
      expect(() => parseJson(text, "refuse")).toThrow(UnsafeNumberError);
    }
    const refused = () => parseJson(`{"id":${number}}`, "refuse");
    expect(refused).toThrow(`"id" is ${number}, which JavaScript would ${becomes}: set unsafeNumbers`);
    expect(parseJson(`{"id":${number}}`, "text")).toEqual({ id: number });
  });

  test.each([
    "9007199254740991",
    "-9007199254740991",
    "0.1",
    "1.0",
    "100e-2",
    "1e21",
    "1.7976931348623157e308",
    "5e-324",
    "0.10000000000000001",
    "48.856613999999997",
    "1000000000000.00000000000000",
    "1.00000000000000000000",
    "9.9999999999999992e+22",
    "0e999",
  ])("reads %s as JSON.parse does", (number) => {
    expect(parseJson(`{"n":${number}}`, "refuse")).toEqual(JSON.parse(`{"n":${number}}`));
  });

  it("keeps an integer as text or as a bigint, and leaves digits in strings alone", () => {
    const text = '{"id":12345678901234567,"hash":"12345678901234567","n":5,"list":["a, 12345678901234567"]}';
    const rest = { hash: "12345678901234567", n: 5, list: ["a, 12345678901234567"] };
    expect(parseJson(text, "text")).toEqual({ id: "12345678901234567", ...rest });
    expect(parseJson(text, "bigint")).toEqual({ id: 12345678901234567n, ...rest });
    expect(() => parseJson('{"size":1e400}', "bigint")).toThrow('set unsafeNumbers to "text" to keep it');
  });

  it("never reads a number as another one: what it returns is written with the same value", () => {
    const digits = fc.stringMatching(/^(0|[1-9]\d{0,24})$/);
    const number = fc
      .tuple(
        fc.constantFrom("", "-"),
        digits,
        fc.stringMatching(/^(\.\d{1,24})?$/),
        fc.stringMatching(/^([eE][+-]?\d{1,3})?$/),
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(number, (source) => {
        let read: unknown;
        try {
          read = parseJson(`[${source}]`, "refuse");
        } catch (error) {
          expect(error).toBeInstanceOf(UnsafeNumberError);
          return;
        }
        const [value] = read as number[];
        expect(value).toBe(Number(source));
        expect(Number.isFinite(value)).toBe(true);
        // An integer is the very same.
        if (/^-?\d+$/.test(source)) expect(BigInt(value ?? 0)).toBe(BigInt(source));
      }),
      { numRuns: 2_000 },
    );
  });

  it("passes on what JSON.parse throws", () => {
    expect(() => parseJson("{12345678901234567", "refuse")).toThrow(SyntaxError);
  });
});

describe("parseMarkedJson", () => {
  it("marks what is refused in its place, and writes it as the same number", () => {
    const text = '[{"id":12345678901234567},{"id":2}]';
    const { value, marked } = parseMarkedJson(text, "refuse");
    expect(marked).toBe(true);
    expect(jsonText(value)).toBe(text);
    expect(`${(value as { id: unknown }[])[0]?.id}`).toBe("12345678901234567");
    expect(parseMarkedJson(text, "bigint")).toEqual({ value: [{ id: 12345678901234567n }, { id: 2 }], marked: false });
  });
});

const exactValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, "a", 5, 5n, -0n, 1e20, 2 ** 53, 0.1, 1e-7, 9007199254740992n),
    fc.bigInt(),
    fc.double({ noDefaultInfinity: true, noNaN: true }).map((number) => number + 0),
    fc.integer(),
    fc.string(),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(
      fc.string().filter((key) => isParsedCorrectly(JSON.stringify(key))),
      tie("value"),
      { maxKeys: 3 },
    ),
  ),
})).value;

describe("a value with bigints", () => {
  it("comes back the same from its stored text and from its text for people, each number with its type", () => {
    fc.assert(
      fc.property(exactValue, (value) => {
        // By its text, in which 0 is -0, and a prototype does not count.
        const typed = (of: unknown) =>
          JSON.stringify(of, (_, inner) => (typeof inner === "bigint" ? `${inner}n` : inner));
        expect(typed(fromStoredText(toStoredText(value)))).toBe(typed(value));
        if (toExactText(value)?.bigints === true) {
          expect(typed(parseBigints(toEditableText(value) ?? ""))).toBe(typed(value));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("is written with the right numbers for every reader of JSON, and without bigints as ever", () => {
    expect(toExactText({ a: 5n, b: 12345678901234567n, c: 5, d: 1e20 })).toEqual({
      json: '{"a":5.0,"b":12345678901234567,"c":5,"d":1e+20}',
      bigints: true,
    });
    expect(toExactText({ c: 5, d: 1e20 })).toEqual({ json: '{"c":5,"d":100000000000000000000}' });
    expect(jsonText({ a: 5n, c: [1n] })).toBe('{"a":5,"c":[1]}');
  });
});
