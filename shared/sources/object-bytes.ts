import type { ReadableFile } from "./readable-file.ts";

/** Reads a range of an object. `end` is exclusive. */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>;

/** How many bytes one request reads. The larger it is, the fewer requests, and the more memory. */
const BLOCK_BYTES = 4 * 1_024 * 1_024;

/** The start of an object, from which its layout is read. If reading continues further back, the rest would be wasted. */
const HEAD_BYTES = 72 * 1_024;

/** An object of S3 as a file. It holds one block of 4 MiB in memory, and requests each block once if read in order. */
export class ObjectBytes implements ReadableFile {
  readonly #size: number;
  readonly #read: ReadRange;
  readonly #headOnly: boolean;
  readonly #end: number;
  #block: { readonly start: number; readonly end: number; readonly bytes: Promise<Uint8Array> } | undefined;

  /**
   * @param headOnly Whether reading continues far behind the start, so that only a few bytes of the start are needed.
   * @param end Where reading probably ends, so that no more than a few bytes behind it are requested. Default: the size.
   */
  constructor(
    size: number,
    read: ReadRange,
    { headOnly = false, end = size }: { readonly headOnly?: boolean; readonly end?: number | undefined } = {},
  ) {
    this.#size = size;
    this.#read = read;
    this.#headOnly = headOnly;
    this.#end = end;
  }

  async stat(): Promise<{ readonly size: number }> {
    return { size: this.#size };
  }

  /** Requests the first block before it is needed. A failure shows when the block is read. */
  prefetch(): void {
    if (this.#size > 0) this.#blockAt(0).bytes.catch(() => undefined);
  }

  async read(buffer: Buffer, offset: number, length: number, position: number) {
    if (position >= this.#size || length === 0) return { bytesRead: 0, buffer };
    const { start, bytes } = this.#blockAt(position);
    const part = (await bytes).subarray(position - start, position - start + length);
    buffer.set(part, offset);
    return { bytesRead: part.length, buffer };
  }

  #blockAt(position: number) {
    const held = this.#block;
    if (held !== undefined && position >= held.start && position < held.end) return held;
    const wanted = this.#headOnly && position < HEAD_BYTES ? HEAD_BYTES : BLOCK_BYTES;
    const beyond = this.#end + HEAD_BYTES;
    const isNearEnd = position < beyond && position + wanted > beyond;
    const end = Math.min(isNearEnd ? beyond : position + wanted, this.#size);
    const block = { start: position, end, bytes: this.#read(position, end) };
    this.#block = block;
    return block;
  }
}
