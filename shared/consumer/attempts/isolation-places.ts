/** Permission to run one isolated attempt. */
export interface IsolationPlace {
  /** Call it in `finally`. */
  release(): void;
}

/**
 * Decides whether one more isolated attempt may run now: the function's memory has room for a few at the same time, or
 * for one that runs alone.
 */
export class IsolationPlaces {
  #taken = 0;
  #isAloneTaken = false;

  /**
   * Takes a place, if one is free.
   *
   * @param places How many there are.
   * @param alone Whether no other isolated attempt may run at the same time.
   */
  take(places: number, alone: boolean): IsolationPlace | undefined {
    if (this.#isAloneTaken || this.#taken >= places) return undefined;
    this.#taken++;
    this.#isAloneTaken = alone;
    return {
      release: () => {
        this.#taken--;
        this.#isAloneTaken = false;
      },
    };
  }
}
