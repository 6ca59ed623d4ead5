import { Presets, SingleBar } from "cli-progress";
import { count, seconds, style } from "./format.ts";
import { printableJson } from "./printable.ts";
import type { Progress } from "./progress.ts";

/** Shows how a run goes on. */
export interface Display {
  show(progress: Progress): void;
  /** A line that stays. */
  say(line: string): void;
  end(): void;
}

const PLAIN_MILLISECONDS = 2_000;
const JSON_MILLISECONDS = 1_000;
/** Below it the bar would tell nothing. */
const SHORTEST_BAR = 8;
const LONGEST_BAR = 30;

export function chooseDisplay({ json }: { json: boolean }): Display {
  if (json) return new JsonLines();
  return process.stderr.isTTY ? new LiveBar() : new PlainLines();
}

function facts(progress: Progress): string[] {
  const { produced, total, inFlight, succeeded, retried, dead, rate, secondsLeft } = progress;
  return [
    ...(total !== undefined && produced >= total ? [] : [`${count(produced)} produced`]),
    `${count(inFlight)} in flight`,
    `${count(succeeded)} succeeded`,
    `${count(retried)} retried`,
    `${count(dead)} dead`,
    `${count(rate)}/s`,
    ...(secondsLeft === undefined ? [] : [`${seconds(secondsLeft)} left`]),
  ];
}

/** One line that is drawn anew: a bar as long as the terminal leaves room for, and the facts beside it. */
class LiveBar implements Display {
  readonly #bar = new SingleBar(
    {
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      fps: 10,
      etaBuffer: 1,
      format: (_options, _params, payload: { line?: string }) => payload.line ?? "",
    },
    Presets.shades_classic,
  );
  #started = false;

  show(progress: Progress): void {
    const line = liveLine(progress, process.stderr.columns ?? 80);
    if (this.#started) this.#bar.update(0, { line });
    else this.#bar.start(1, 0, { line });
    this.#started = true;
  }

  say(line: string): void {
    this.end();
    process.stderr.write(`${line}\n`);
  }

  end(): void {
    if (this.#started) this.#bar.stop();
    this.#started = false;
  }
}

/** The live line, at most `columns` wide: on a narrow terminal the least important facts give way. */
export function liveLine(progress: Progress, columns: number): string {
  const { total, succeeded, dead } = progress;
  const share = total === undefined || total === 0 ? undefined : (succeeded + dead) / total;
  const percent = share === undefined ? "" : `${String(Math.floor(share * 100)).padStart(3)} %  `;
  const shown = facts(progress);
  const longer = (line: string[]) => percent.length + line.join(" · ").length > columns - 1;
  while (longer(shown) && shown.length > 2) shown.splice(shown.length - 3, 1);
  const text = shown.join(" · ");
  const room = Math.min(LONGEST_BAR, columns - 2 - percent.length - text.length);
  if (share === undefined || room < SHORTEST_BAR) return `${percent}${text}`.slice(0, columns - 1);
  const full = Math.round(share * room);
  return `${style("green", "━".repeat(full), process.stderr)}${style("dim", "━".repeat(room - full), process.stderr)} ${percent}${text}`;
}

/** A line now and then, where nobody watches a terminal. */
class PlainLines implements Display {
  #nextAt = 0;

  show(progress: Progress): void {
    const now = Date.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + PLAIN_MILLISECONDS;
    const { total, succeeded, dead } = progress;
    const of = total === undefined ? "" : ` of ${count(total)}`;
    this.say(`${count(succeeded + dead)}${of} settled: ${facts(progress).join(", ")}`);
  }

  say(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  end(): void {}
}

/** One JSON object a line, for machines. */
class JsonLines implements Display {
  #nextAt = 0;

  show(progress: Progress): void {
    const now = Date.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + JSON_MILLISECONDS;
    const { total, secondsLeft, ...rest } = progress;
    writeJson({ type: "progress", ...rest, total: total ?? null, secondsLeft: secondsLeft ?? null });
  }

  say(line: string): void {
    writeJson({ type: "message", message: line });
  }

  end(): void {}
}

export function writeJson(value: object): void {
  process.stdout.write(`${printableJson(JSON.stringify(value))}\n`);
}
