/** A text whose bytes can be read at any position: a file, or an object of S3. A `FileHandle` is one. */
export interface ReadableFile {
  /**
   * Reads bytes at a position into a buffer.
   *
   * @returns the number of bytes that were read. It can be less than `length`, and is 0 only at the end.
   */
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number; readonly buffer: Buffer }>;
  /** Returns the size in bytes. Infinity: the end is known only when it is read, as in a compressed object. */
  stat(): Promise<{ readonly size: number }>;
}
