import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { SourceError } from "../base/errors.ts";
import type { ReadableFile } from "./readable-file.ts";

/** The start of the text is kept, because its layout and its header are read before its items. */
const KEPT_BYTES = 256 * 1_024;
const COMPRESSED_BLOCK_BYTES = 1_024 * 1_024;

/** The longest time for which text is decompressed only to be dropped. A slice of the producer lasts this long. */
const LONGEST_SKIPPING_MILLISECONDS = 60_000;
const WARNING_MILLISECONDS = 30_000;

/** What `GunzippedBytes` uses of its surroundings. */
export interface Skipping {
  /** The name of the object, for messages. */
  readonly name: string;
  /** Milliseconds of a clock that is never set back. */
  readonly now: () => number;
  warn(message: string): void;
}

/**
 * A file that is compressed with gzip, as its text. Reading at a position decompresses everything before it, so reading
 * is cheap only in order. It holds about 2 MiB in memory.
 *
 * @throws {SourceError} `permanent`: the file is not gzip, is damaged or ends too early; or skipping takes a minute.
 */
export class GunzippedBytes implements ReadableFile {
  readonly #compressed: ReadableFile;
  readonly #skipping: Skipping;
  #chunks: AsyncIterator<Buffer> | undefined;
  #stream: Readable | undefined;
  /** Text that was decompressed and not read yet, and its position. */
  #ready: Buffer = Buffer.alloc(0);
  #position = 0;
  #kept: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(compressed: ReadableFile, skipping: Skipping) {
    this.#compressed = compressed;
    this.#skipping = skipping;
  }

  /** The size of the text is unknown until its end is read. */
  async stat(): Promise<{ readonly size: number }> {
    return { size: Number.POSITIVE_INFINITY };
  }

  async read(buffer: Buffer, offset: number, length: number, position: number) {
    if (position < this.#kept.length) return copied(this.#kept.subarray(position, position + length), buffer, offset);
    if (position < this.#position) this.#restart();
    const start = this.#skipping.now();
    let warned = false;
    while (this.#position + this.#ready.length <= position) {
      this.#position += this.#ready.length;
      this.#ready = Buffer.alloc(0);
      if (!(await this.#fill())) return { bytesRead: 0, buffer };
      const milliseconds = this.#skipping.now() - start;
      if (milliseconds >= LONGEST_SKIPPING_MILLISECONDS)
        throw tooLongToSkip(this.#skipping.name, this.#position, position);
      if (milliseconds < WARNING_MILLISECONDS || warned) continue;
      this.#skipping.warn(skippingWarning(this.#skipping.name));
      warned = true;
    }
    if (position > this.#position) this.#take(position - this.#position);
    return copied(this.#take(length), buffer, offset);
  }

  /** Frees what the decompression holds. */
  close(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
    this.#chunks = undefined;
  }

  #take(length: number): Buffer {
    const part = this.#ready.subarray(0, length);
    this.#ready = this.#ready.subarray(part.length);
    this.#position += part.length;
    return part;
  }

  #restart(): void {
    this.close();
    this.#ready = Buffer.alloc(0);
    this.#position = 0;
    this.#ended = false;
  }

  /** Decompresses a little more. Returns false at the end of the text. */
  async #fill(): Promise<boolean> {
    if (this.#ended) return false;
    try {
      this.#chunks ??= this.#open();
      const { done = false, value } = await this.#chunks.next();
      if (done) {
        this.#ended = true;
        return false;
      }
      const end = this.#position + this.#ready.length;
      this.#ready = this.#ready.length === 0 ? value : Buffer.concat([this.#ready, value]);
      if (end === this.#kept.length && end < KEPT_BYTES) this.#kept = Buffer.concat([this.#kept, value]);
      return true;
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      if (code === undefined || !code.startsWith("Z_")) throw thrown;
      throw new SourceError(
        `${this.#skipping.name} is not gzip, or is damaged: ${message}. Upload it again, or set compression: "none"`,
        { cause: thrown, permanent: true },
      );
    }
  }

  #open(): AsyncIterator<Buffer> {
    const input = Readable.from(this.#blocks(), { objectMode: false });
    const gunzip = createGunzip();
    // An error of the input must reach the reader, and `pipe` does not pass it on.
    input.once("error", (error) => gunzip.destroy(error));
    gunzip.once("close", () => input.destroy());
    this.#stream = input.pipe(gunzip);
    return this.#stream[Symbol.asyncIterator]();
  }

  async *#blocks(): AsyncGenerator<Buffer> {
    for (let position = 0; ; ) {
      const block = Buffer.allocUnsafe(COMPRESSED_BLOCK_BYTES);
      const { bytesRead } = await this.#compressed.read(block, 0, block.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield block.subarray(0, bytesRead);
    }
  }
}

function copied(part: Buffer, buffer: Buffer, offset: number) {
  buffer.set(part, offset);
  return { bytesRead: part.length, buffer };
}

const skippingWarning = (name: string): string =>
  `${name} is compressed, so each slice of the producer decompresses it from its start, and a slice has needed more than ` +
  "30 s for that. The run fails when a slice needs 60 s. Use several smaller objects, or objects without compression";

function tooLongToSkip(name: string, reached: number, wanted: number): SourceError {
  return new SourceError(
    `${name} is compressed, so each slice of the producer decompresses it from its start. After ` +
      `${LONGEST_SKIPPING_MILLISECONDS / 1_000} s it had reached byte ${reached} of the text, and the run continues at byte ` +
      `${wanted}. Split the object into smaller ones, or store it without compression, and start a new run`,
    { permanent: true },
  );
}
