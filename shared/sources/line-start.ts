import { readAt } from "./file-identity.ts";
import type { FileLayout } from "./file-layout.ts";
import type { ReadableFile } from "./readable-file.ts";

/** How many bytes are searched at a time. Even, because a character of UTF-16 has two bytes. */
const BLOCK_BYTES = 65_536;

/**
 * Finds the first line that begins in a part of a file, and returns the byte at which the line begins: at or after `from`, and
 * before `to`. It is the byte after a line end, so the file must have no line ends inside quotes. `undefined`: no line begins
 * in the part.
 *
 * @param from Even, and behind the first line of the file.
 */
export async function lineStartIn(
  file: ReadableFile,
  { from, to }: { readonly from: number; readonly to: number },
  { encoding, lineEnd }: Pick<FileLayout, "encoding" | "lineEnd">,
): Promise<number | undefined> {
  // The line end before `from` counts, too: then a line begins exactly there.
  const { width } = encoding;
  for (let position = from - width; position + width < to; ) {
    const read = await readAt(file, position, Math.min(BLOCK_BYTES, to - position));
    const block = read.subarray(0, read.length - (read.length % width));
    if (block.length === 0) return undefined;
    const found = encoding.indexOf(block, lineEnd);
    const start = position + found + width;
    if (found !== -1) return start < to ? start : undefined;
    position += block.length;
  }
  return undefined;
}
