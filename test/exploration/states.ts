/** One `Map` holds at most 2^24 entries, so there are several. */
const PARTS = 64;

/** Numbers states in the order in which they are found. There may be a hundred million. */
export class States {
  readonly #parts = Array.from({ length: PARTS }, () => new Map<string, number>());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): number | undefined {
    return this.#partOf(key).get(key);
  }

  /** Gives a new state its number. */
  add(key: string): number {
    this.#partOf(key).set(key, this.#size);
    return this.#size++;
  }

  #partOf(key: string): Map<string, number> {
    let sum = 0;
    // Every second character is the low byte of a number. The high bytes are mostly 0.
    for (let index = 0; index < key.length; index += 2) sum = (31 * sum + key.charCodeAt(index)) | 0;
    return this.#parts[(sum >>> 8) % PARTS] as Map<string, number>;
  }
}
