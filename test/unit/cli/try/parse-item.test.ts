import { expect, test } from "vitest";
import { parseItem } from "../../../../cli/try/parse-item.ts";

test("an item of --item keeps its large integers exactly", () => {
  expect(parseItem('{"id":9007199254740993}')).toEqual({ id: 9_007_199_254_740_993n });
  expect(parseItem('{"id":7,"name":"a"}')).toEqual({ id: 7, name: "a" });
});

test("an item of --item whose number would be altered is refused with its place", () => {
  expect(() => parseItem('{"price":0.12345678901234567891}')).toThrow(/^--item: .*0\.12345678901234567891/);
});
