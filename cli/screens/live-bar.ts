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
/** Facts that are left out if the line is still too long without a bar. */
const LESS_THAN_THE_REST: readonly Fact[] = ["dead", "succeeded", "held"];

/** The live line, shorter than `columns`. On a narrow terminal, the least important facts are left out. */
export function liveLine(progress: LiveProgress, columns: number): string {
  const { total, succeeded, dead } = progress;
  const share = total === undefined || total === 0 ? undefined : (succeeded + dead) / total;
  const percent = share === undefined ? "" : `${String(Math.floor(share * 100)).padStart(3)} %  `;
  const shown = progressFacts(progress);
  const text = () => [...shown.values()].join(" · ");
  const room = () => columns - 2 - percent.length - text().length;
  const leaveOut = (candidates: readonly Fact[], enough: number) => {
    for (const fact of candidates) if (room() < enough) shown.delete(fact);
  };
  const bar = barWidth(columns);
  leaveOut(LESS_THAN_THE_BAR, share === undefined ? -1 : bar);
  leaveOut(LESS_THAN_THE_REST, -1);
  if (share === undefined || room() < bar) return `${percent}${text()}`.slice(0, columns - 1);
  const full = Math.round(share * bar);
  return `${style("green", "━".repeat(full), process.stderr)}${style("dim", "━".repeat(bar - full), process.stderr)} ${percent}${text()}`;
}
