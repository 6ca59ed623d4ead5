import type { LiveProgress } from "../../shared/observe/live-progress.ts";
import { barWidth } from "./bar-width.ts";
import type { Display } from "./display.ts";
import { style } from "./format.ts";
import { OneLineBar } from "./one-line-bar.ts";
import { remark } from "./paragraph.ts";
import { type Fact, progressFacts } from "./progress-facts.ts";
import { widthOf } from "./terminal-width.ts";

/** Shows the progress on a terminal: one line, with a bar and the facts beside it. */
export class LiveBar implements Display {
  readonly #line = new OneLineBar();

  starting(step: string): void {
    const columns = widthOf(process.stderr);
    this.#line.draw(style("dim", `Starting: ${step} …`.slice(0, columns - 1), process.stderr));
  }

  show(progress: LiveProgress): void {
    this.#line.draw(liveLine(progress, widthOf(process.stderr)));
  }

  say(line: string): void {
    this.end();
    remark(line);
  }

  end(): void {
    this.#line.erase();
  }
}

/** Facts that are left out on a narrow terminal to make room for the bar, the least important first. */
const LESS_THAN_THE_BAR: readonly Fact[] = ["retried", "throttled", "produced", "in flight"];
/** Facts that are left out after that. A share says more or less how many items succeeded. */
const LEFT_OUT_LAST: readonly Fact[] = ["succeeded", "held", "waiting"];
/** Facts that are left out if the line is still too long without a bar. */
const LESS_THAN_THE_REST: readonly Fact[] = ["dead", "succeeded", "held"];

type Facts = ReadonlyMap<Fact, string>;

const textOf = (facts: Facts): string => [...facts.values()].join(" · ");

const without = (facts: Facts, ...left: readonly Fact[]): Facts =>
  new Map([...facts].filter(([fact]) => !left.includes(fact)));

/** The facts with less and less text, to make room for the bar. */
function* shorterAndShorter(all: Facts): Generator<Facts> {
  let facts = all;
  yield facts;
  for (const fact of LESS_THAN_THE_BAR) {
    facts = without(facts, fact);
    yield facts;
  }
  const held = facts.get("held");
  if (held !== undefined) {
    yield without(facts, "succeeded");
    // What holds the fleet tells about its rate, too.
    yield without(facts, "succeeded", "rate");
    facts = new Map([...facts]).set("held", held.replace(/:.*/s, ""));
    yield facts;
  }
  for (const fact of LEFT_OUT_LAST) {
    facts = without(facts, fact);
    yield facts;
  }
}

/** The live line, shorter than `columns`. On a narrow terminal, facts are left out or cut, so that the bar keeps its width. */
export function liveLine(progress: LiveProgress, columns: number): string {
  const { total, succeeded, dead } = progress;
  const share = total === undefined || total === 0 ? undefined : (succeeded + dead) / total;
  const percent = share === undefined ? "" : `${String(Math.floor(share * 100)).padStart(3)} %  `;
  const roomBeside = (facts: Facts) => columns - 2 - percent.length - textOf(facts).length;
  const bar = barWidth(columns);
  const all = progressFacts(progress);
  const fitting = shorterAndShorter(all).find((facts) => roomBeside(facts) >= (share === undefined ? -1 : bar));
  if (fitting === undefined || share === undefined) {
    let facts = fitting ?? without(all, ...LESS_THAN_THE_BAR);
    for (const fact of LESS_THAN_THE_REST) if (roomBeside(facts) < -1) facts = without(facts, fact);
    return `${percent}${textOf(facts)}`.slice(0, columns - 1);
  }
  const full = Math.round(share * bar);
  return `${style("green", "━".repeat(full), process.stderr)}${style("dim", "━".repeat(bar - full), process.stderr)} ${percent}${textOf(fitting)}`;
}
