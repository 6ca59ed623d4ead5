import { stripVTControlCharacters } from "node:util";
import { paragraph } from "./paragraph.ts";

/** A text on the standard output that is shown again and again. On a terminal, each text replaces the one before. */
export class Redrawn {
  #lines = 0;

  show(text: string): void {
    const { isTTY, columns, rows } = process.stdout;
    if (isTTY && this.#lines > 0) process.stdout.write(`\x1b[${this.#lines}A\x1b[J`);
    // Lines that have scrolled away cannot be replaced, so the end of a text that is too high is left out.
    const lines = paragraph(text).split("\n");
    const shown = isTTY && rows > 1 && lines.length > rows - 1 ? [...lines.slice(0, rows - 2), "…"] : lines;
    const heights = shown.map((line) => Math.ceil(stripVTControlCharacters(line).length / columns) || 1);
    this.#lines = heights.reduce((sum, each) => sum + each, 0);
    console.log(shown.join("\n"));
  }
}
