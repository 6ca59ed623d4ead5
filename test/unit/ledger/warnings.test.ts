import { describe, expect, test } from "vitest";
import { readWarnings, toWarning, warningAttributes } from "../../../shared/ledger/warnings.ts";

const texts = (count: number) => Array.from({ length: count }, (_, index) => `warning ${index}`);
const row = (attributes: object) => ({ pk: "p", sk: "s", status: "running", ...attributes });

describe("a warning", () => {
  test("is kept whole up to 300 characters, and is then cut with an ellipsis", () => {
    expect(toWarning("x".repeat(300))).toBe("x".repeat(300));
    expect(toWarning("x".repeat(301))).toBe(`${"x".repeat(299)}…`);
    expect(toWarning("")).toBe("");
  });

  test("is cut between characters, and has none that is half", () => {
    // The pair of code units lies on the place of the cut.
    expect(toWarning(`${"x".repeat(298)}🏔🏔`)).toBe(`${"x".repeat(298)}\uFFFD…`);
    expect(toWarning("a\uD83C")).toBe("a\uFFFD");
  });

  test("is stored under its digest, after the ones that are known", () => {
    const attributes = warningAttributes(["known"], ["known", "new", "new", "newer"]);
    expect(Object.values(attributes)).toEqual([
      { order: 1, text: "new" },
      { order: 2, text: "newer" },
    ]);
    for (const name of Object.keys(attributes)) expect(name).toMatch(/^warning [\w-]{12}$/);
    expect(Object.keys(warningAttributes([], ["new"]))).toEqual(Object.keys(attributes).slice(0, 1));
  });

  test("is one of ten at most", () => {
    expect(Object.keys(warningAttributes([], texts(12)))).toHaveLength(10);
    expect(Object.values(warningAttributes(texts(9), ["a", "b"]))).toEqual([{ order: 9, text: "a" }]);
    expect(warningAttributes(texts(10), ["a"])).toEqual({});
  });

  test("is read back in its order, without the other attributes of the row", () => {
    const many = texts(10);
    const attributes = warningAttributes([], many);
    expect(readWarnings(row(attributes))).toEqual(many);
    expect(readWarnings(row(Object.fromEntries(Object.entries(attributes).reverse())))).toEqual(many);
    expect(readWarnings(row({}))).toEqual([]);
  });

  test("of two producers at once may be the eleventh: ten are read", () => {
    const all = { ...warningAttributes([], texts(10)), ...warningAttributes([], ["other"]) };
    expect(readWarnings(row(all))).toHaveLength(10);
  });
});
