import { ConfigurationError } from "../../shared/base/errors.ts";
import type { TargetOptions } from "../options/target-options.ts";
import { whileEngineRuns } from "../targets/engine-ended.ts";
import { targets } from "../targets/find-run.ts";
import type { Target } from "../targets/target.ts";

/**
 * Opens the services of a workflow for one work after the other. On this machine, the services of a workflow without an engine
 * belong to the process that opened them, so two works of this process must not open them at the same time.
 */
export class TargetTurns {
  readonly #options: TargetOptions;
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(options: TargetOptions) {
    this.#options = options;
  }

  /** Whether a work is under way. */
  isBusy(workflow: string): boolean {
    return this.#last.has(workflow);
  }

  /** @throws {ConfigurationError} There is no such workflow. */
  async take<Result>(workflow: string, work: (target: Target) => Promise<Result>): Promise<Result> {
    const before = this.#last.get(workflow);
    const turn = (async () => {
      await before?.catch(() => {});
      return await this.beside(workflow, work);
    })();
    this.#last.set(workflow, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(workflow) === turn) this.#last.delete(workflow);
    }
  }

  /** Does not wait for the works that are under way. On this machine, an engine must run. */
  async beside<Result>(workflow: string, work: (target: Target) => Promise<Result>): Promise<Result> {
    for await (const target of targets({ ...this.#options, workflow })) {
      return await whileEngineRuns(target, () => work(target));
    }
    throw new ConfigurationError(`there is no workflow "${workflow}" here: run it, or check its name`);
  }
}
