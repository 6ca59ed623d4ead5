import { Presets, SingleBar } from "cli-progress";
import { jsonText } from "../../shared/base/exact-json.ts";
import type { Progress } from "../runs/pace.ts";
import { count, seconds, style } from "./format.ts";
import { remark } from "./paragraph.ts";
import { printableJson } from "./printable.ts";

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

type Fact = "produced" | "in flight" | "succeeded" | "retried" | "dead" | "rate" | "left" | "waiting" | "source";

/** What is told of a run, in this order. */
function facts(progress: Progress): Map<Fact, string> {
  const { produced, total, inFlight, succeeded, retried, dead, rate, secondsLeft, waiting } = progress;
  const { sourceWaitSeconds } = progress;
  const all: [Fact, string | undefined][] = [
    ["produced", total !== undefined && produced >= total ? undefined : `${count(produced)} produced`],
    ["in flight", `${count(inFlight)} in flight`],
    ["succeeded", `${count(succeeded)} succeeded`],
    ["retried", `${count(retried)} retried`],
    ["dead", `${count(dead)} dead`],
    // A rate says nothing of a run that waits.
    ["rate", waiting === undefined ? `${count(rate)}/s` : undefined],
    ["left", waiting === undefined ? timeLeft(secondsLeft) : undefined],
    ["waiting", waiting && `${count(waiting.items)} waiting, the next in ${seconds(waiting.nextInSeconds)}`],
    ["source", sourceWaitSeconds === undefined ? undefined : `the source waits ${seconds(sourceWaitSeconds)}`],
  ];
  return new Map(all.filter((fact): fact is [Fact, string] => fact[1] !== undefined));
}

/** Below it, what is left is the end of a run, whose last items may wait for another attempt: no rate tells when. */
const SHORTEST_LEFT_SECONDS = 0.1;

const timeLeft = (left: number | undefined): string | undefined =>
  left === undefined || left < SHORTEST_LEFT_SECONDS ? undefined : `${seconds(left)} left`;

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
    remark(line);
  }

  end(): void {
    if (this.#started) this.#bar.stop();
    this.#started = false;
  }
}

/** What gives way to the bar on a narrow terminal, and what gives way to the rest where even without it all is too long. */
const LESS_THAN_THE_BAR: readonly Fact[] = ["retried", "produced", "in flight"];
const LESS_THAN_THE_REST: readonly Fact[] = ["dead", "succeeded"];

/** The live line, at most `columns` wide: on a narrow terminal the least important facts give way. */
export function liveLine(progress: Progress, columns: number): string {
  const { total, succeeded, dead } = progress;
  const share = total === undefined || total === 0 ? undefined : (succeeded + dead) / total;
  const percent = share === undefined ? "" : `${String(Math.floor(share * 100)).padStart(3)} %  `;
  const shown = facts(progress);
  const text = () => [...shown.values()].join(" · ");
  const room = () => columns - 2 - percent.length - text().length;
  const giveWay = (candidates: readonly Fact[], enough: number) => {
    for (const fact of candidates) if (room() < enough) shown.delete(fact);
  };
  giveWay(LESS_THAN_THE_BAR, share === undefined ? -1 : SHORTEST_BAR);
  giveWay(LESS_THAN_THE_REST, -1);
  const bar = Math.min(LONGEST_BAR, room());
  if (share === undefined || bar < SHORTEST_BAR) return `${percent}${text()}`.slice(0, columns - 1);
  const full = Math.round(share * bar);
  return `${style("green", "━".repeat(full), process.stderr)}${style("dim", "━".repeat(bar - full), process.stderr)} ${percent}${text()}`;
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
    this.say(`${count(succeeded + dead)}${of} settled: ${[...facts(progress).values()].join(", ")}`);
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
  process.stdout.write(`${printableJson(jsonText(value) ?? "")}\n`);
}
