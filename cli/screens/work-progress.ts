import { barWidth } from "./bar-width.ts";
import { count, style } from "./format.ts";
import { OneLineBar } from "./one-line-bar.ts";
import { widthOf } from "./terminal-width.ts";

/** On a terminal nothing is shown before this time. Most work is done sooner than a person could read the line. */
const BAR_AFTER_MILLISECONDS = 700;
const PLAIN_MILLISECONDS = 2_000;
/** A rate over a shorter time means nothing. */
const SHORTEST_RATE_MILLISECONDS = 500;

/**
 * Shows on stderr how far the work on many things has come: a bar on a terminal, elsewhere a line every two seconds. Work
 * that is done sooner shows nothing.
 */
export class WorkProgress {
  readonly #line = new OneLineBar();
  readonly #things: string;
  #verb: string;
  #startedAt: number;
  #nextAt: number;

  /** What the command does with which things: "Reading", "dead letters". */
  constructor(verb: string, things: string, now: number = Date.now()) {
    this.#verb = verb;
    this.#things = things;
    this.#startedAt = now;
    this.#nextAt = now + (process.stderr.isTTY ? BAR_AFTER_MILLISECONDS : PLAIN_MILLISECONDS);
  }

  /** Changes the verb, and starts to measure the rate again. */
  turnTo(verb: string, now: number = Date.now()): void {
    if (verb === this.#verb) return;
    this.#verb = verb;
    this.#startedAt = now;
  }

  /** @param total Left out if it is not known. */
  show(done: number, total?: number, now: number = Date.now()): void {
    if (now < this.#nextAt) return;
    const elapsed = now - this.#startedAt;
    const rate = elapsed < SHORTEST_RATE_MILLISECONDS ? "" : ` · ${count((done * 1_000) / elapsed)}/s`;
    const of = total === undefined ? "" : ` of ${count(total)}`;
    const facts = `${this.#verb} ${this.#things}: ${count(done)}${of}${rate}`;
    if (process.stderr.isTTY) this.#draw(facts, total === undefined || total === 0 ? undefined : done / total);
    else {
      this.#nextAt = now + PLAIN_MILLISECONDS;
      process.stderr.write(`${facts}\n`);
    }
  }

  #draw(facts: string, share: number | undefined): void {
    this.#line.draw(workLine(facts, share, widthOf(process.stderr)));
  }

  /** Erases the line from the terminal. */
  end(): void {
    this.#line.erase();
  }
}

/** The line, shorter than `columns`. The bar keeps its width, so facts that are too long are cut. */
export function workLine(facts: string, share: number | undefined, columns: number): string {
  if (share === undefined) return facts.slice(0, columns - 1);
  const width = barWidth(columns);
  const full = Math.round(Math.min(1, share) * width);
  const bar = `${style("green", "━".repeat(full), process.stderr)}${style("dim", "━".repeat(width - full), process.stderr)}`;
  return `${bar} ${facts.slice(0, Math.max(0, columns - width - 2))}`;
}
