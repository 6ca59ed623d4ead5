import { expect, test } from "vitest";
import { readDraft, toDraft } from "../../../../cli/dlq/item-draft.ts";

const deadLetters = [
  { id: "dd7e23dc", about: "exhausted: Error: HTTP 500", item: { id: 5, name: "// not a comment\n// either" } },
  { id: "0b1c22aa", about: "permanent: gone", item: [1, "two"] },
];

test("a draft that is not changed is read back as it was", () => {
  expect([...readDraft(toDraft(deadLetters, "cities"))]).toEqual(
    deadLetters.map(({ id, item }) => [id, { tag: "item", item }]),
  );
});

test("each item stands below its dead letter, with instructions at the top", () => {
  expect(toDraft(deadLetters.slice(1), "cities")).toBe(
    [
      "// The item of a dead letter of cities. Change, save and quit.",
      "// Only what you change is sent back. Delete it to leave it in the dead-letter queue.",
      "// Lines that begin with // are ignored.",
      "",
      "// dead letter 0b1c22aa · permanent: gone",
      "[",
      "  1,",
      '  "two"',
      "]",
      "",
    ].join("\n"),
  );
});

test("changed, deleted, emptied and invalid items are distinguished", () => {
  const text = [
    "// dead letter a · x",
    '{"id": 6}',
    "// dead letter b · x",
    "",
    "// dead letter c · x",
    '{"id": ',
    "  // a remark",
    "}",
  ].join("\r\n");
  const edited = readDraft(text);
  expect([...edited.keys()]).toEqual(["a", "c"]);
  expect(edited.get("a")).toEqual({ tag: "item", item: { id: 6 } });
  expect(edited.get("c")).toEqual({
    tag: "unreadable",
    text: '{"id": \n}',
    problem: expect.stringMatching(/^it is not JSON: /),
  });
});

test("a problem is shown above the text that the user left, and ignored when the draft is read", () => {
  const again = toDraft(
    [{ id: "c", about: "x", item: undefined, text: '{"id": }', problem: "it is not JSON:\nhere" }],
    "cities",
  );
  expect(again).toContain('// dead letter c · x\n// ✖ it is not JSON:\n// ✖ here\n{"id": }\n');
  expect(readDraft(again).get("c")).toMatchObject({ tag: "unreadable", text: '{"id": }' });
});

test("an item with bigints keeps bigints and numbers apart; other items get bigints only beyond 2^53", () => {
  const items = [
    { id: "a", about: "x", item: { id: 12345678901234567n, small: 5n, number: 5 } },
    { id: "b", about: "x", item: { number: 5 } },
  ];
  const text = toDraft(items, "cities");
  expect(text).toContain("A bigint within ±(2^53 − 1) is written as 5.0, a number as 5.");
  const edited = readDraft(
    text.replaceAll('"number": 5', '"number": 6.0, "more": 12345678901234568'),
    (id) => id === "a",
  );
  expect(edited.get("a")).toEqual({
    tag: "item",
    item: { id: 12345678901234567n, small: 5n, number: 6n, more: 12345678901234568n },
  });
  expect(edited.get("b")).toEqual({ tag: "item", item: { number: 6, more: 12345678901234568n } });
  expect(toDraft(items.slice(1), "cities")).not.toContain("bigint");
  expect(readDraft("// dead letter a\n[1e400]").get("a")).toMatchObject({
    tag: "unreadable",
    problem: expect.stringContaining("1e400"),
  });
});
