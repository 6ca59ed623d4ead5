import { expect, test } from "vitest";
import { paragraph } from "../../../../cli/screens/paragraph.ts";

const terminal = (columns: number) => ({ isTTY: true, columns }) as NodeJS.WriteStream;

test("a sentence is broken between its words, and its lines keep their indent", () => {
  expect(paragraph("all others stay in the queue", terminal(10))).toBe("all others\nstay in\nthe queue");
  expect(paragraph("  all others stay", terminal(12))).toBe("  all others\n  stay");
  expect(paragraph("one\n\n  two", terminal(80))).toBe("one\n\n  two");
});

test("spaces at the end of a question stay, so that the answer is separated", () => {
  expect(paragraph("Send them back? [y/N] ", terminal(16))).toBe("Send them back?\n[y/N] ");
});

test("a word that is wider than the terminal is broken too", () => {
  expect(paragraph("abcdefgh", terminal(5))).toBe("abcde\nfgh");
});

test("without a terminal, nothing is broken", () => {
  expect(paragraph("all others stay in the queue", { isTTY: false } as NodeJS.WriteStream)).toBe(
    "all others stay in the queue",
  );
});
