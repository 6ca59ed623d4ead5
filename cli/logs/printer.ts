import { logText } from "../screens/log-text.ts";
import { paragraph, remark } from "../screens/paragraph.ts";
import { widthOf } from "../screens/terminal-width.ts";
import { writeJson } from "../screens/write-json.ts";
import type { RunLine } from "./local-log.ts";
import { isWanted, type LogFilter } from "./log-filter.ts";

/** How many lines of a terminal one value of a log line may take. */
const LINES_OF_VALUE = 3;

/** Prints the lines that are wanted: for people, or as JSON. On a terminal, long values are cut. */
export class LogPrinter {
  readonly #filter: LogFilter;
  readonly #json: boolean;
  #printed = 0;
  #hasCut = false;

  constructor(filter: LogFilter, { json }: { readonly json: boolean }) {
    this.#filter = filter;
    this.#json = json;
  }

  /** How many lines were printed. */
  get printed(): number {
    return this.#printed;
  }

  print(lines: readonly RunLine[]): void {
    const wanted = lines.filter(({ line, run }) => isWanted(line, run, this.#filter));
    this.#printed += wanted.length;
    if (this.#json) for (const each of wanted) writeJson(jsonOf(each));
    else if (wanted.length > 0) process.stdout.write(wanted.map(({ line }) => `${this.#textOf(line)}\n`).join(""));
  }

  /** Says how to see long values whole, if any was cut. */
  end(): void {
    if (this.#hasCut) remark("\nLong values are cut on a terminal. With --json, or in a pipe, they are whole.");
  }

  #textOf(line: RunLine["line"]): string {
    const { stdout } = process;
    const longest = stdout.isTTY ? LINES_OF_VALUE * widthOf(stdout) : undefined;
    const onCut = () => {
      this.#hasCut = true;
    };
    return paragraph(logText(line, Date.now(), { longest, onCut }));
  }
}

const jsonOf = ({ line, run }: RunLine) => ({
  type: "log",
  at: line.at === undefined ? null : new Date(line.at).toISOString(),
  function: line.from,
  level: line.level,
  run: run ?? null,
  item: line.item ?? null,
  ...(line.attempt !== undefined && { attempt: line.attempt }),
  message: line.message,
  ...(Object.keys(line.fields).length > 0 && { fields: line.fields }),
});
