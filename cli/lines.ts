import wrapAnsi from "wrap-ansi";
import { widthOf } from "./columns.ts";

/** A text broken between its words where the terminal ends, and not within them. Elsewhere it stays as it is. */
export function paragraph(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY ? wrapAnsi(text, widthOf(stream), { trim: false }).replaceAll(/ +\n/g, "\n") : text;
}

/** Prints a sentence on the standard output. */
export const say = (text: string): void => console.log(paragraph(text));

/** Prints one on stderr: what is no part of a command's output. */
export const remark = (text: string): void => console.error(paragraph(text, process.stderr));
