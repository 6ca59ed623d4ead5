import { expect, test } from "vitest";
import { oneLine, printable, printableJson } from "../../../../cli/screens/printable.ts";

test.each([
  ["a colour", "\u001b[31mred\u001b[0m", "\\u001b[31mred\\u001b[0m"],
  ["a title of the window, ended by a bell", "\u001b]0;owned\u0007", "\\u001b]0;owned\\u0007"],
  ["an eight-bit control sequence", "\u009b2J", "\\u009b2J"],
  ["a carriage return that would hide what stands before it", "rm -rf /\rls", "rm -rf /\\u000dls"],
  ["a backspace, a delete and a null", "a\bb\u007fc\0", "a\\u0008b\\u007fc\\u0000"],
  ["text whose direction is turned", "\u202egpj.exe\u2066", "\\u202egpj.exe\\u2066"],
  ["half a character", "\ud83d", "\ufffd"],
  ["what is only text", "Şuwayr 漢字 👍🏽 ✖ → é\n\tx", "Şuwayr 漢字 👍🏽 ✖ → é\n\tx"],
  ["lines that end as on Windows", "a\r\nb", "a\nb"],
])("%s cannot control a terminal", (_, text, shown) => {
  expect(printable(text)).toBe(shown);
});

test("on one line, white space of every kind becomes one space", () => {
  expect(oneLine("  a\n\t b\r\n\u001bc  ")).toBe("a b \\u001bc");
});

test("JSON keeps its value, and cannot control the terminal", () => {
  const value = { "\u009b2J": ["\u001b[0m", "\u007f", "\u202e", "\u2028", "漢字\n"] };
  const text = printableJson(JSON.stringify(value));
  expect(text).not.toMatch(/[\p{Cc}\u2028\u202e]/u);
  expect(JSON.parse(text)).toEqual(value);
});
