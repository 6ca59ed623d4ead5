import type { Key, LedgerStore, Row, Update } from "../../shared/aws/table.ts";

const DEATH = "the process died";

/**
 * A process that dies at one of its steps, before or after the step takes effect. A dead process makes no more steps.
 */
export class Mortal {
  readonly #afterwards: boolean;
  #stepsToLive: number;
  #dead = false;

  /** @param stepsToLive How many steps succeed before the process dies. `Infinity`: it does not die. */
  constructor(stepsToLive: number, afterwards: boolean) {
    this.#stepsToLive = stepsToLive;
    this.#afterwards = afterwards;
  }

  get dead(): boolean {
    return this.#dead;
  }

  before(): void {
    if (this.#dead) throw new Error(DEATH);
    if (this.#stepsToLive-- > 0 || this.#afterwards) return;
    this.#dead = true;
    throw new Error(DEATH);
  }

  after(): void {
    if (this.#stepsToLive < 0) this.#dead = true;
    if (this.#dead) throw new Error(DEATH);
  }

  /** Returns the store as this process uses it: each request is a step. */
  storeOf(store: LedgerStore): LedgerStore {
    const step = async <Result>(act: () => Promise<Result>): Promise<Result> => {
      this.before();
      const result = await act();
      this.after();
      return result;
    };
    return {
      get: (key: Key) => step(() => store.get(key)),
      getMany: (keys: readonly Key[]) => step(() => store.getMany(keys)),
      newest: (pk: string, limit: number, before?: string) => step(() => store.newest(pk, limit, before)),
      update: (key: Key, update: Update): Promise<Row | undefined> => step(() => store.update(key, update)),
    };
  }

  /** Runs the work of the process. Resolves with the result, or with `undefined` if the process died. */
  async live<Result>(act: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await act();
    } catch (error) {
      if (this.#dead) return undefined;
      throw error;
    }
  }
}
