/** The edges of a graph whose vertices are numbers. There may be many millions. */
export class Edges {
  #ends = new Int32Array(2 ** 16);
  #size = 0;

  add(from: number, to: number): void {
    if (this.#size === this.#ends.length) {
      const larger = new Int32Array(2 * this.#size);
      larger.set(this.#ends);
      this.#ends = larger;
    }
    this.#ends[this.#size++] = from;
    this.#ends[this.#size++] = to;
  }

  /** Whether a path along the edges leads from a vertex back to itself. */
  haveCycle(vertices: number): boolean {
    // Repeatedly removes vertices without incoming edges. What remains is on a cycle, or is reached from one.
    const starts = new Int32Array(vertices + 1);
    const incoming = new Int32Array(vertices);
    for (let edge = 0; edge < this.#size; edge += 2) {
      starts[this.#at(edge) + 1] = (starts[this.#at(edge) + 1] ?? 0) + 1;
      incoming[this.#at(edge + 1)] = (incoming[this.#at(edge + 1)] ?? 0) + 1;
    }
    for (let vertex = 0; vertex < vertices; vertex++)
      starts[vertex + 1] = (starts[vertex + 1] ?? 0) + (starts[vertex] ?? 0);
    const targets = new Int32Array(this.#size / 2);
    const filled = starts.slice();
    for (let edge = 0; edge < this.#size; edge += 2) {
      const place = filled[this.#at(edge)] ?? 0;
      targets[place] = this.#at(edge + 1);
      filled[this.#at(edge)] = place + 1;
    }
    const free: number[] = [];
    for (let vertex = 0; vertex < vertices; vertex++) if (incoming[vertex] === 0) free.push(vertex);
    let taken = 0;
    for (let vertex = free.pop(); vertex !== undefined; vertex = free.pop()) {
      taken++;
      for (let place = starts[vertex] ?? 0; place < (starts[vertex + 1] ?? 0); place++) {
        const target = targets[place] ?? 0;
        incoming[target] = (incoming[target] ?? 0) - 1;
        if (incoming[target] === 0) free.push(target);
      }
    }
    return taken < vertices;
  }

  #at(index: number): number {
    return this.#ends[index] ?? 0;
  }
}
