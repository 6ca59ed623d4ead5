import type { LiveProgress } from "../../shared/observe/live-progress.ts";
import type { BegunRun, EndedRun, ReportedError } from "../dev/protocol.ts";
import { endedText } from "./dev-text.ts";
import { count, style } from "./format.ts";
import { liveLine } from "./live-bar.ts";
import { timeText } from "./log-text.ts";
import { OneLineBar } from "./one-line-bar.ts";
import { remark } from "./paragraph.ts";
import { printable } from "./printable.ts";
import { progressFacts } from "./progress-facts.ts";
import { widthOf } from "./terminal-width.ts";
import { writeJson } from "./write-json.ts";

/** Shows what `sluice dev` does. */
export interface DevScreen {
  /** Prints a line that stays. */
  say(text: string): void;
  /** Prints the error of a version, with its code frame. */
  error(error: ReportedError, follows: string): void;
  /** Shows what is being waited for, on a terminal. It is shown while no run is under way. */
  status(text: string): void;
  begun(run: BegunRun): void;
  progress(run: string, progress: LiveProgress): void;
  ended(run: EndedRun): void;
  /** Prints lines with another function. */
  above(print: () => void): void;
  end(): void;
}

export function chooseDevScreen({ json }: { readonly json: boolean }): DevScreen {
  if (json) return new JsonScreen();
  return process.stderr.isTTY ? new TerminalScreen() : new PlainScreen();
}

const begunText = ({ run, isContinued }: BegunRun): string =>
  isContinued ? `Run ${run} continues` : `Run ${run} begins`;

const stamped = (text: string): string => `${style("dim", timeText(Date.now(), Date.now()), process.stderr)}  ${text}`;

const errorText = ({ message }: ReportedError, follows: string): string =>
  `${stamped(`${style("red", "error", process.stderr)} ${printable(message)}`)}\n${follows}`;

/** Lines above one line that changes: the progress of the run, or what the command waits for. */
class TerminalScreen implements DevScreen {
  readonly #line = new OneLineBar();
  #status = "";
  #progress: (() => string) | undefined;

  say(text: string): void {
    this.above(() => remark(stamped(text)));
  }

  error(error: ReportedError, follows: string): void {
    this.above(() => remark(errorText(error, follows)));
  }

  status(text: string): void {
    this.#status = text;
    this.#draw();
  }

  begun(run: BegunRun): void {
    this.say(begunText(run));
  }

  progress(_run: string, progress: LiveProgress): void {
    this.#progress = () => liveLine(progress, widthOf(process.stderr));
    this.#draw();
  }

  ended(run: EndedRun): void {
    this.#progress = undefined;
    this.say(endedText(run));
  }

  above(print: () => void): void {
    this.#line.erase();
    print();
    this.#draw();
  }

  end(): void {
    this.#status = "";
    this.#progress = undefined;
    this.#line.erase();
  }

  #draw(): void {
    const status = () => style("dim", this.#status.slice(0, widthOf(process.stderr) - 1), process.stderr);
    const line = this.#progress?.() ?? status();
    if (this.#progress === undefined && this.#status === "") this.#line.erase();
    else this.#line.draw(line);
  }
}

/** How often the progress of a run is printed where there is no terminal. */
const PROGRESS_MILLISECONDS = 2_000;

/** One line for each event, where the output is no terminal. */
class PlainScreen implements DevScreen {
  #nextAt = 0;
  #latest = "";

  say(text: string): void {
    process.stderr.write(`${stamped(text)}\n`);
  }

  error(error: ReportedError, follows: string): void {
    process.stderr.write(`${errorText(error, follows)}\n`);
  }

  status(): void {}

  begun(run: BegunRun): void {
    this.#nextAt = Date.now() + PROGRESS_MILLISECONDS;
    this.say(begunText(run));
  }

  progress(_run: string, progress: LiveProgress): void {
    const now = Date.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + PROGRESS_MILLISECONDS;
    const { total, succeeded, dead } = progress;
    const of = total === undefined ? "" : ` of ${count(total)}`;
    const text = `${count(succeeded + dead)}${of} settled: ${[...progressFacts(progress).values()].join(", ")}`;
    // A run can wait for hours.
    if (text !== this.#latest) this.say(text);
    this.#latest = text;
  }

  ended(run: EndedRun): void {
    this.say(endedText(run));
  }

  above(print: () => void): void {
    print();
  }

  end(): void {}
}

/** One JSON object for each event. */
class JsonScreen implements DevScreen {
  #nextAt = 0;

  say(message: string): void {
    writeJson({ type: "message", message });
  }

  error({ code, message }: ReportedError): void {
    writeJson({ type: "error", code, message });
  }

  status(): void {}

  begun({ run, isContinued }: BegunRun): void {
    writeJson({ type: "started", run, continued: isContinued });
  }

  progress(run: string, { total, secondsLeft, ...rest }: LiveProgress): void {
    const now = Date.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + PROGRESS_MILLISECONDS;
    writeJson({ type: "progress", run, ...rest, total: total ?? null, secondsLeft: secondsLeft ?? null });
  }

  ended({ failure, ...others }: EndedRun): void {
    writeJson({ ...others, ...(failure !== undefined && { failure }) });
  }

  above(print: () => void): void {
    print();
  }

  end(): void {}
}
