import wrapAnsi from "wrap-ansi";
import { widthOf } from "./columns.ts";

/** A text broken between its words where the terminal ends, and not within them. Elsewhere it stays as it is. */
export function paragraph(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  if (!stream.isTTY) return text;
  return text
    .split("\n")
    .map((line) => broken(line, widthOf(stream)))
    .join("\n");
}

// What the line ends in stays: after a question, the answer must not stick to it.
function broken(line: string, width: number): string {
  const [, indent = "", words = "", end = ""] = /^( *)(.*?)( *)$/s.exec(line) ?? [];
  const lines = wrapAnsi(words, Math.max(1, width - indent.length - end.length), { hard: true }).split("\n");
  return `${indent}${lines.join(`\n${indent}`)}${end}`;
}

/** Prints a sentence on the standard output. */
export const say = (text: string): void => console.log(paragraph(text));

/** Prints one on stderr: what is no part of a command's output. */
export const remark = (text: string): void => console.error(paragraph(text, process.stderr));
