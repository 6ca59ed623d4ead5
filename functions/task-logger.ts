import type { Logger } from "@aws-lambda-powertools/logger";
import type { TaskLogger } from "../shared/base/task.ts";
import { isErrorLike, toError, toText } from "../shared/base/thrown.ts";

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
    return (message, fields) => {
      try {
        this.#logger[level](message, { ...this.#bound, ...readable(fields) });
      } catch (thrown) {
        this.#logAsTexts(level, message, fields, toError(thrown).message);
      }
    };
  }

  // A getter or a `toJSON` of a field throws, or an error is its own cause. The line is written all the same.
  #logAsTexts(
    level: Level,
    message: unknown,
    fields: Readonly<Record<string, unknown>> | undefined,
    why: string,
  ): void {
    try {
      this.#logger[level](toText(message), { ...this.#bound, ...asTexts(fields), loggedAsText: why });
    } catch {
      // A line that cannot be written must not fail an attempt, nor keep an outcome from being recorded.
    }
  }
}

/** The fields, with errors that the logger could not read replaced: one of another realm would be logged as `{}`. */
function readable(fields: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  if (isErrorLike(fields)) return { error: toError(fields) };
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, isErrorLike(value) ? toError(value) : value]),
  );
}

/** The fields as texts, each read separately: if one cannot be read, the line keeps the others. */
function asTexts(fields: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, string>> {
  let names: readonly string[] = [];
  try {
    names = Object.keys(fields ?? {});
  } catch {
    // A revoked proxy: there is nothing to read.
  }
  return Object.fromEntries(names.map((name) => [name, textOf(fields, name)]));
}

function textOf(fields: Readonly<Record<string, unknown>> | undefined, name: string): string {
  try {
    return toText(fields?.[name]);
  } catch (thrown) {
    return `(cannot be read: ${toError(thrown).message})`;
  }
}
