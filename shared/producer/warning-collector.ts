import type { TaskLogger } from "../base/task.ts";
import { describeThrown, isErrorLike, toText } from "../base/thrown.ts";
import { MOST_WARNINGS, toWarning } from "../ledger/warnings.ts";

/**
 * Collects the warnings of one slice. The slice's next write to the run's row stores them. If the producer dies before
 * that write, no warning is lost: the next slice reads the same page again, and the source warns again.
 */
export class WarningCollector {
  readonly #all: string[];
  readonly #run: string;
  readonly #logger: TaskLogger;

  /** @param run The run. Its `warnings` come from earlier slices, and are not logged again. */
  constructor(run: { readonly id: string; readonly warnings: readonly string[] }, logger: TaskLogger) {
    this.#all = [...run.warnings];
    this.#run = run.id;
    this.#logger = logger;
  }

  /** The function that the source calls. */
  readonly warn = (message: string): void => {
    const warning = toWarning(textOf(message));
    if (this.#all.length >= MOST_WARNINGS || this.#all.includes(warning)) return;
    this.#all.push(warning);
    this.#logger.warn(`the source warns: ${warning}`, { run: this.#run });
  };

  /** All warnings of the run so far, oldest first. */
  get all(): readonly string[] {
    return this.#all;
  }
}

/** A source may pass an error, or any other value, instead of a string. The warning must not fail the source. */
const textOf = (message: unknown): string => (isErrorLike(message) ? describeThrown(message).message : toText(message));
