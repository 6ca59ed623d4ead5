import type { RunRecord } from "../ledger/run-record.ts";
import type { RunStates } from "../ledger/run-states.ts";

/** If changes of this many runs are known, all of them are forgotten, so that memory stays bounded. */
const MOST_RUNS = 100;

/** The code with which a run began, and the code of this process, which is another one. */
export interface CodeChange {
  readonly from: string;
  readonly to: string;
}

/**
 * Notices that a run began with other code than that of this process, because of a deploy while the run works. The run's
 * row then says so. A process has one watch, and writes at most once for each run.
 */
export class CodeWatch {
  readonly #runs: Pick<RunStates, "find" | "noteCode">;
  readonly #version: string | undefined;
  readonly #known = new Map<string, Promise<CodeChange | undefined>>();
  #noting: Promise<void> = Promise.resolve();

  /** @param version The version of this process's code. `undefined`: it is not known, and nothing is noticed. */
  constructor(runs: Pick<RunStates, "find" | "noteCode">, version: string | undefined) {
    this.#runs = runs;
    this.#version = version;
  }

  /** Compares the code of a run that the ledger has just returned. */
  readonly note = (run: RunRecord): void => {
    if (!this.#known.has(run.id)) this.#remember(run.id, Promise.resolve(run));
  };

  /** How the code has changed since the run began. `undefined`: it has not, or this is not known. */
  async changeSince(run: string): Promise<CodeChange | undefined> {
    if (this.#version === undefined) return undefined;
    return await (this.#known.get(run) ?? this.#remember(run, this.#runs.find(run)));
  }

  #remember(id: string, finding: Promise<RunRecord | undefined>): Promise<CodeChange | undefined> {
    const change = finding.then((run) => this.#compare(run)).catch(() => undefined);
    if (this.#known.size >= MOST_RUNS) this.#known.clear();
    this.#known.set(id, change);
    return change;
  }

  #compare(run: RunRecord | undefined): CodeChange | undefined {
    const to = this.#version;
    if (run?.codeVersion === undefined || to === undefined || run.codeVersion === to) return undefined;
    // The note is for people. The run does not depend on it.
    if (run.codeChange?.version !== to) {
      const noted = this.#runs.noteCode(run.id, to).catch(() => {});
      this.#noting = Promise.all([this.#noting, noted]).then(() => {});
    }
    return { from: run.codeVersion, to };
  }

  /**
   * Resolves when no note is being written. Lambda freezes the environment after the invocation, and a request that still ran
   * then would continue at any later time.
   * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
   */
  async settled(): Promise<void> {
    await Promise.all(this.#known.values());
    await this.#noting;
  }
}
