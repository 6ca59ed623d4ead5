import { expect, test } from "vitest";
import { withRepeatedHeadline } from "../../../../cli/screens/repeated-headline.ts";
import { roomOf } from "../../../../cli/screens/terminal-width.ts";

const rows = Array.from({ length: 19 }, (_, row) => `row ${row}`);
const text = ["", "Completed with 2 dead letters", "", ...rows].join("\n");

test("a text of 22 lines and the prompt fit on 24 rows", () => {
  expect(withRepeatedHeadline(text, roomOf({ isTTY: true, rows: 24 }))).toBe(text);
});

test("on 23 rows, the last line is the headline", () => {
  expect(withRepeatedHeadline(text, roomOf({ isTTY: true, rows: 23 }))).toBe(
    `${text}\n\nCompleted with 2 dead letters`,
  );
});

test("a file or a pipe gets the text alone", () => {
  expect(withRepeatedHeadline(text, roomOf({ isTTY: false, rows: 23 }))).toBe(text);
});

test("a headline that takes two lines is repeated with both", () => {
  const text = "Completed with 2 dead letters  customers · run\n20261128-112407-55ab\n\na\nb";
  expect(withRepeatedHeadline(text, 2)).toBe(
    `${text}\n\nCompleted with 2 dead letters  customers · run\n20261128-112407-55ab`,
  );
});
