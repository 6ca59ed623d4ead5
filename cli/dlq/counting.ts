import { Presets, SingleBar } from "cli-progress";
import { widthOf } from "../columns.ts";
import { count, style } from "../format.ts";

/** Until then nothing is shown: work is done before anybody has read it. */
const BAR_AFTER_MILLISECONDS = 700;
const PLAIN_MILLISECONDS = 2_000;
const LONGEST_BAR = 30;

/**
 * Shows on stderr how far some work has come: a bar on a terminal, elsewhere a line now and then. Work that is soon done
 * shows nothing.
 */
export class Counting {
  readonly #verb: string;
  readonly #noun: string;
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
  readonly #startedAt: number;
  #nextAt: number;
  #shown = false;

  /** @param verb What is done to them, as "looking at". */
  constructor(verb: string, noun = "dead letters", now: number = Date.now()) {
    this.#verb = verb;
    this.#noun = noun;
    this.#startedAt = now;
    this.#nextAt = now + (process.stderr.isTTY ? BAR_AFTER_MILLISECONDS : PLAIN_MILLISECONDS);
  }

  /** @param total Absent: it is not known. */
  show(done: number, total?: number, now: number = Date.now()): void {
    if (now < this.#nextAt) return;
    const rate = (done * 1_000) / Math.max(1, now - this.#startedAt);
    const of = total === undefined ? "" : ` of ${count(total)}`;
    const facts = `${this.#verb} ${this.#noun}: ${count(done)}${of} · ${count(rate)}/s`;
    if (!process.stderr.isTTY) {
      this.#nextAt = now + PLAIN_MILLISECONDS;
      process.stderr.write(`${facts}\n`);
      return;
    }
    const share = total === undefined || total === 0 ? 0 : Math.min(1, done / total);
    const room =
      total === undefined ? 0 : Math.max(0, Math.min(LONGEST_BAR, widthOf(process.stderr) - facts.length - 3));
    const full = Math.round(share * room);
    const bar = `${style("green", "━".repeat(full), process.stderr)}${style("dim", "━".repeat(room - full), process.stderr)}`;
    const line = `${bar} ${facts}`;
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
