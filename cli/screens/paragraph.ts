import { widthOf } from "./terminal-width.ts";
import { wrapLine } from "./wrap.ts";

/** Breaks a text between its words at the terminal's width. If the stream is not a terminal, the text stays as it is. */
export function paragraph(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  if (!stream.isTTY) return text;
  return text
    .split("\n")
    .map((line) => broken(line, widthOf(stream)))
    .join("\n");
}

// Spaces at the end of a line stay. They separate a question from the answer that is typed after it.
function broken(line: string, width: number): string {
  const [, indent = "", words = "", end = ""] = /^( *)(.*?)( *)$/s.exec(line) ?? [];
  const lines = wrapLine(words, Math.max(1, width - indent.length - end.length));
  return `${indent}${lines.join(`\n${indent}`)}${end}`;
}

/** Prints a sentence on the standard output. */
export const say = (text: string): void => console.log(paragraph(text));

/** Prints a sentence on the standard error: a note that is not part of the command's output. */
export const remark = (text: string): void => console.error(paragraph(text, process.stderr));
