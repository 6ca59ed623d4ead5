import type { Key, LedgerStore, Row, Update } from "../../shared/aws/table.ts";

const DEATH = "the process died";

/** A process that dies at one of its steps, before the step takes effect or after, and does nothing any more then. */
export class Mortal {
  readonly #afterwards: boolean;
  #stepsToLive: number;
  #dead = false;

  /** @param stepsToLive Steps that go well; `Infinity` for a process that does not die. */
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

  /** The store as this process reaches it. */
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

  /** Runs what the process does. Resolves with its result, or with `undefined` if the process died. */
  async live<Result>(act: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await act();
    } catch (error) {
      if (this.#dead) return undefined;
      throw error;
    }
  }
}
