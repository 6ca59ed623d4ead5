import { Presets, SingleBar } from "cli-progress";
import type { PassProgress } from "../../../shared/dead-letters/pass.ts";
import { widthOf } from "../columns.ts";
import { count, style } from "../format.ts";

/** Until then nothing is shown: work is done before anybody has read it. */
const BAR_AFTER_MILLISECONDS = 700;
const PLAIN_MILLISECONDS = 2_000;
const SHORTEST_PACE_MILLISECONDS = 500;
const LONGEST_BAR = 30;

/**
 * Shows on stderr how far some work on dead letters has come: a bar on a terminal, elsewhere a line now and then. Work
 * that is soon done shows nothing.
 */
export class Counting {
  #verb: string;
  readonly #bar = new SingleBar(
    {
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      fps: 10,
      format: (_options, _params, payload: { line?: string }) => payload.line ?? "",
    },
    Presets.shades_classic,
  );
  #startedAt: number;
  #nextAt: number;
  #shown = false;

  /** @param verb What is done to them, as "Looking at". */
  constructor(verb: string, now: number = Date.now()) {
    this.#verb = verb;
    this.#startedAt = now;
    this.#nextAt = now + (process.stderr.isTTY ? BAR_AFTER_MILLISECONDS : PLAIN_MILLISECONDS);
  }

  /** A walk over all letters: they are looked at, and in the end given back. */
  showPass({ looked, total, givenBack }: PassProgress, now: number = Date.now()): void {
    if (givenBack === 0) this.show(looked, total, now);
    else this.showGivingBack({ looked, total, givenBack }, now);
  }

  /** Only the end of a walk, where what is done on the way is shown otherwise. */
  showGivingBack({ looked, givenBack }: PassProgress, now: number = Date.now()): void {
    if (givenBack === 0) return;
    this.turnTo("Giving back", now);
    this.show(givenBack, looked, now);
  }

  /** Something else is done to them from now on. */
  turnTo(verb: string, now: number = Date.now()): void {
    if (verb === this.#verb) return;
    this.#verb = verb;
    this.#startedAt = now;
  }

  /** @param total Absent: it is not known. */
  show(done: number, total?: number, now: number = Date.now()): void {
    if (now < this.#nextAt) return;
    const elapsed = now - this.#startedAt;
    // Of its first moments a pace says nothing.
    const rate = elapsed < SHORTEST_PACE_MILLISECONDS ? "" : ` · ${count((done * 1_000) / elapsed)}/s`;
    const of = total === undefined ? "" : ` of ${count(total)}`;
    const facts = `${this.#verb} dead letters: ${count(done)}${of}${rate}`;
    if (process.stderr.isTTY) this.#draw(facts, total === undefined || total === 0 ? undefined : done / total);
    else {
      this.#nextAt = now + PLAIN_MILLISECONDS;
      process.stderr.write(`${facts}\n`);
    }
  }

  #draw(facts: string, share: number | undefined): void {
    const room =
      share === undefined ? 0 : Math.max(0, Math.min(LONGEST_BAR, widthOf(process.stderr) - facts.length - 3));
    const full = Math.round(Math.min(1, share ?? 0) * room);
    const bar = `${style("green", "━".repeat(full), process.stderr)}${style("dim", "━".repeat(room - full), process.stderr)} `;
    const line = `${room === 0 ? "" : bar}${facts}`;
    if (this.#shown) this.#bar.update(0, { line });
    else this.#bar.start(1, 0, { line });
    this.#shown = true;
  }

  /** Takes it off the terminal. */
  end(): void {
    if (this.#shown) this.#bar.stop();
    this.#shown = false;
  }
}
