/** Collects texts as UTF-8. Joining many short texts would make garbage that lives for long. */
export class TextBuffer {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 64 * 1_024) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  add(text: string): void {
    // A UTF-16 unit has at most 3 bytes in UTF-8.
    const most = this.#length + 3 * text.length;
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(most, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** Returns the texts, and begins again. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }
}
