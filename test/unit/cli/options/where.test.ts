import { expect, test } from "vitest";
import { matches } from "../../../../cli/dlq/filter.ts";
import { where } from "../../../../cli/options/where.ts";
import type { DeadLetter } from "../../../../shared/dead-letters/read-dead-letter.ts";

const deadLetter = {
  reason: "exhausted",
  item: { id: 5, country: "FR", tags: [] },
  failures: [{ message: "HTTP 500" }],
};

test.each([
  ["item.country == 'FR'", true],
  ["item.country == 'FR' && item.id > `5`", false],
  ["contains(failures[-1].message, '500')", true],
  ["item.tags", false],
  ["item.nothing", false],
  ["item.id", true],
  ["!(item.nothing)", true],
])("%s: %s", (expression, holds) => {
  expect(where(expression).holds(deadLetter)).toBe(holds);
});

test.each([
  [
    "item.id > 3",
    "column 10, found unexpected token \"3\" (number). A number is written in backticks: 'item.id > `3`'.",
  ],
  ["reason = 'x'", 'unknown token "=" at column 7. Two values are compared with ==.'],
  ["item.country ==", "column 15, found unexpected end of expression"],
  ["", "unexpected end of expression"],
  ["upper(item.name)", "Unknown function: upper()"],
  ["length(item, item)", "Expected at most 1 argument for function length(), received 2"],
])("%j is refused, and the error says where and how to fix it", (expression, message) => {
  expect(() => where(expression)).toThrow(message);
});

test("a dead letter for which the expression cannot be evaluated does not match, and is counted with the reason", () => {
  const asked = where("length(item.name) > `3`");
  expect(asked.holds(deadLetter)).toBe(false);
  expect(asked.holds({ item: { name: "Bern" } })).toBe(true);
  expect(asked.unanswered).toBe(1);
  expect(asked.because).toMatch(/length\(\).* found "null"/);
});

test("a bigint of an item is compared as text", () => {
  const bigint = { ...deadLetter, item: { id: 12345678901234567n } } as unknown as DeadLetter;
  expect(matches(bigint, { where: where("item.id == '12345678901234567'") })).toBe(true);
  expect(matches(bigint, { where: where("item.id == '12345678901234568'") })).toBe(false);
});
