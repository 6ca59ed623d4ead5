import { ConfigurationError } from "../../shared/base/errors.ts";
import { show } from "../../shared/base/options.ts";
import type { LogLine } from "./log-line.ts";

/** Which lines to print. */
export interface LogFilter {
  /** The run's id. `undefined`: lines of all runs, and of none. */
  readonly run: string | undefined;
  /** The item's id, or its end after the run: `0/3` for the item 3 of page 0. */
  readonly item: string | undefined;
  readonly onlyErrors: boolean;
}

/** The message of the line that the consumer writes for each dead letter. */
const DEAD_LETTER = "dead letter";

/**
 * The run of an item, from the item's id.
 *
 * @returns `undefined` if the id does not contain the run.
 * @throws {ConfigurationError} It is no id of an item.
 */
export function runOfItem(item: string): string | undefined {
  const found = /^(?:(?<run>[^/]+)\/)?(?:p\d+\/)?\d+\/\d+$/.exec(item);
  if (found === null) {
    throw new ConfigurationError(
      `--item must be the id of an item, such as 20261122-081530-3fa9/0/3, or its page and index, such as 0/3, but is ${show(item)}. ` +
        "The ids of dead letters are listed by: npx sluice dlq list --json",
    );
  }
  const { run } = found.groups ?? {};
  return run !== undefined && /^p?\d+$/.test(run) ? undefined : run;
}

/**
 * Whether a line is printed.
 *
 * @param run The run that the line is of. A line that names no run is of the run that was under way.
 */
export function isWanted(line: LogLine, run: string | undefined, filter: LogFilter): boolean {
  if (filter.run !== undefined && run !== undefined && run !== filter.run) return false;
  if (filter.item !== undefined && line.item !== filter.item && line.item !== `${run}/${filter.item}`) return false;
  return !filter.onlyErrors || line.level === "error" || line.message === DEAD_LETTER;
}
