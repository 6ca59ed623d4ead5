import { stripVTControlCharacters } from "node:util";
import { paragraph } from "./paragraph.ts";

/** A text on the standard output that is shown again and again. On a terminal, each text replaces the one before. */
export class Redrawn {
  #lines = 0;

  show(text: string): void {
    const { isTTY, columns } = process.stdout;
    if (isTTY && this.#lines > 0) process.stdout.write(`\x1b[${this.#lines}A\x1b[J`);
    const broken = paragraph(text);
    const rows = broken.split("\n").map((line) => Math.ceil(stripVTControlCharacters(line).length / columns) || 1);
    this.#lines = rows.reduce((sum, each) => sum + each, 0);
    console.log(broken);
  }
}
