import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { hasFilters, matches } from "../../../../cli/dlq/filter.ts";
import { type DeadLetterOptions, withDeadLetterOptions } from "../../../../cli/options/dead-letter-options.ts";
import type { DeadLetter } from "../../../../shared/dead-letters/read-dead-letter.ts";

function parsed(...words: readonly string[]): DeadLetterOptions {
  const command = withDeadLetterOptions(new Command("list"))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return command.parse(words, { from: "user" }).opts();
}

const deadLetter = {
  id: "3b30c9f4-90d9-47a8-b7fa-6c4b1a0caf10",
  reason: "invalid item",
  run: "20261122-081530-3fa9",
  diedAt: "2026-11-25T08:00:00.000Z",
  error: { name: "FetchError", message: "connect ECONNREFUSED\n  10.0.0.7:5432" },
  fingerprint: { id: "a5a8d400", text: "FetchError: connect ECONNREFUSED <address>" },
  item: { id: 7, country: "FR" },
} as unknown as DeadLetter;

describe("a dead letter matches", () => {
  test.each<[string, readonly string[], boolean]>([
    ["no filters", [], true],
    ["its reason", ["--reason", "invalid item"], true],
    ["its reason with a hyphen", ["--reason", "invalid-item"], true],
    ["one of several reasons", ["--reason", "permanent", "--reason", "invalid-item"], true],
    ["not: another reason", ["--reason", "permanent"], false],
    ["the start of its run's id", ["--run", "20261122"], true],
    ["not: another run", ["--run", "3fa9"], false],
    ["its group's id", ["--error", "a5a8d400"], true],
    ["a word of its error, in any case", ["--error", "econnrefused"], true],
    ["its error on one line, as the list prints it", ["--error", "connect ECONNREFUSED 10.0.0.7"], true],
    ["the text that its group has in common", ["--error", "ECONNREFUSED <address>"], true],
    ["not: another error", ["--error", "a5a8"], false],
    ["since a time before its death", ["--since", "2026-11-25T07:59:59Z"], true],
    ["not: since a time after its death", ["--since", "2026-11-25T08:00:01Z"], false],
    ["a part of its item, in any case", ["--text", '"COUNTRY":"fr"'], true],
    ["a part of its error on one line", ["--text", "econnrefused 10.0.0.7"], true],
    ["a part of its id", ["--text", "3b30c9"], true],
    ["one of several texts", ["--text", "nowhere", "--text", "<address>"], true],
    ["not: a text that it does not contain", ["--text", "invalid item"], false],
    ["an expression", ["--where", "item.country == 'FR' && item.id > `6`"], true],
    [
      "not: one of several filters does not match",
      ["--run", "2026", "--error", "ECONNREFUSED", "--where", "item.x"],
      false,
    ],
  ])("%s", (_, words, expected) => {
    const options = parsed(...words);
    expect(matches(deadLetter, options)).toBe(expected);
    expect(hasFilters(options)).toBe(words.length > 0);
  });

  test("no filter by run, if it has no run", () => {
    expect(matches({ ...deadLetter, run: null }, parsed("--run", "2"))).toBe(false);
  });
});

test.each([
  [["--reason", "tired"], "It must be one of: exhausted, permanent, invalid item,"],
  [["--since", "yesterday"], "It must be a duration like 30m, 2h or 3d"],
  [["--where", "item.id > 3"], "A number is written in backticks"],
])("%j is refused", (words, message) => {
  expect(() => parsed(...words)).toThrow(message);
});
