import type { Logger } from "@aws-lambda-powertools/logger";
import type { TaskLogger } from "../shared/task.ts";

type Fields = Readonly<Record<string, string | number>>;
type Level = keyof TaskLogger;

/** A logger whose lines all carry some fields. Cheaper than a child logger, of which each task would need one. */
export function taskLogger(logger: Logger, bound: Fields = {}): TaskLogger {
  return new BoundLogger(logger, bound);
}

// Its methods are made as they are asked for: most tasks log nothing, and one may take a method out of its logger.
class BoundLogger implements TaskLogger {
  readonly #logger: Logger;
  readonly #bound: Fields;

  constructor(logger: Logger, bound: Fields) {
    this.#logger = logger;
    this.#bound = bound;
  }

  get debug() {
    return this.#at("debug");
  }

  get info() {
    return this.#at("info");
  }

  get warn() {
    return this.#at("warn");
  }

  get error() {
    return this.#at("error");
  }

  #at(level: Level): TaskLogger[Level] {
    return (message, fields) => this.#logger[level](message, { ...this.#bound, ...fields });
  }
}
