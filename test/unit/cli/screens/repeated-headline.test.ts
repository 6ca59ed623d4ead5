import { expect, test } from "vitest";
import { withRepeatedHeadline } from "../../../../cli/screens/repeated-headline.ts";

const text = ["", "Completed with 2 dead letters", ...Array.from({ length: 20 }, (_, row) => `row ${row}`)].join("\n");

test("a text of 22 lines and the prompt fit on 24 rows", () => {
  expect(withRepeatedHeadline(text, 24)).toBe(text);
});

test("on 23 rows, the last line is the headline", () => {
  expect(withRepeatedHeadline(text, 23)).toBe(`${text}\n\nCompleted with 2 dead letters`);
});

test("a file or a pipe gets the text alone", () => {
  expect(withRepeatedHeadline(text, undefined)).toBe(text);
});
