import { linesOf, roomOf } from "./terminal-width.ts";

/** Prints what `sluice try` found, from the first page to the summary. */
export class TryScreen {
  #page: string | undefined;
  #lines = 0;

  /** Prints what was found about the first page. */
  begin(page: string): void {
    this.#page = page;
    this.print(page);
  }

  print(text: string): void {
    this.#lines += linesOf(text);
    console.log(text);
  }

  /** Prints the summary. What was found about the page stands above it again, if it has scrolled away. */
  end(summary: string): void {
    const room = roomOf(process.stdout);
    const isGone = room !== undefined && this.#lines + linesOf(summary) > room;
    if (isGone && this.#page !== undefined) console.log(`\n${this.#page}`);
    console.log(summary);
  }
}
