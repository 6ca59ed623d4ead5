import type { TaskLogger } from "../base/task.ts";
import { describeThrown, isErrorLike, toText } from "../base/thrown.ts";
import { MOST_WARNINGS, toWarning } from "../ledger/warnings.ts";

/**
 * The warnings of one slice. The slice's next write to the run's row stores them. A warning that is lost because the
 * producer dies before that write is raised again: the next slice reads the same page again.
 */
export class WarningCollector {
  readonly #all: string[];
  readonly #run: string;
  readonly #logger: TaskLogger;

  /** @param run Its `warnings` are known already, so they are not logged again. */
  constructor(run: { readonly id: string; readonly warnings: readonly string[] }, logger: TaskLogger) {
    this.#all = [...run.warnings];
    this.#run = run.id;
    this.#logger = logger;
  }

  /** What a source calls. */
  readonly warn = (message: string): void => {
    const warning = toWarning(textOf(message));
    if (this.#all.length >= MOST_WARNINGS || this.#all.includes(warning)) return;
    this.#all.push(warning);
    this.#logger.warn(`the source warns: ${warning}`, { run: this.#run });
  };

  /** The warnings so far, oldest first, those of earlier slices included. */
  get all(): readonly string[] {
    return this.#all;
  }
}

/** A source of JavaScript may warn of an error as it is, or of anything else: no warning must fail the source. */
const textOf = (message: unknown): string => (isErrorLike(message) ? describeThrown(message).message : toText(message));
