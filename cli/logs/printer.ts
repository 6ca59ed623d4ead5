import { logText } from "../screens/log-text.ts";
import { writeJson } from "../screens/write-json.ts";
import type { RunLine } from "./local-log.ts";
import { isWanted, type LogFilter } from "./log-filter.ts";

/** Prints the lines that are wanted: for people, or as JSON. */
export class LogPrinter {
  readonly #filter: LogFilter;
  readonly #json: boolean;
  #printed = 0;

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
    else if (wanted.length > 0) process.stdout.write(wanted.map(({ line }) => `${logText(line)}\n`).join(""));
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
