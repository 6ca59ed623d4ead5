import type { ObjectStore } from "../aws/object-store.ts";
import { PAGES_PER_BLOCK } from "../ledger/keys.ts";
import { readPartRowHead } from "./result-row.ts";

/** A row of a part, with its place. */
export interface PartRow {
  /** The page, counted in the block. */
  readonly page: number;
  readonly index: number;
  /** The line, with its newline. */
  readonly line: Buffer;
}

const NEWLINE = 10;

/** Yields the lines of an object, each with its newline. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const line = bytes.subarray(start, end + 1);
      yield rest.length === 0 ? line : Buffer.concat([...rest, line]);
      rest = [];
      start = end + 1;
    }
    if (start < bytes.length) rest.push(bytes.subarray(start));
  }
  if (rest.length > 0) throw new Error("the last line of an object has no end");
}

/** Reads the rows of parts of a block, in their order. The next row can be looked at before it is taken. */
export class PartRows {
  readonly #rows: AsyncIterator<Buffer>;
  #next: PartRow | undefined;
  #isBegun = false;

  constructor(store: Pick<ObjectStore, "stream">, keys: readonly string[]) {
    this.#rows = rowsOf(store, keys);
  }

  async peek(): Promise<PartRow | undefined> {
    if (!this.#isBegun) await this.#advance();
    return this.#next;
  }

  async take(): Promise<void> {
    await this.peek();
    await this.#advance();
  }

  async close(): Promise<void> {
    await this.#rows.return?.();
  }

  async #advance(): Promise<void> {
    this.#isBegun = true;
    const { value: line, done } = await this.#rows.next();
    if (done === true) {
      this.#next = undefined;
      return;
    }
    const { page, index } = readPartRowHead(line);
    this.#next = { page: page % PAGES_PER_BLOCK, index, line };
  }
}

async function* rowsOf(store: Pick<ObjectStore, "stream">, keys: readonly string[]): AsyncGenerator<Buffer> {
  for (const key of keys) yield* linesOf(store.stream(key));
}
