import { createHash } from "node:crypto";
import type { ReadableFile } from "./readable-file.ts";

const SAMPLE_BYTES = 4_096;

/**
 * A digest of the first 4 KiB of a file and of the 4 KiB before `byte`. The digest shows whether `byte` is still the
 * same place in the same file, and it costs the same for a file of any size. The modification time is not used, because
 * a copy of the file has a different one.
 */
export async function digestAround(file: ReadableFile, byte: number): Promise<string> {
  const hash = createHash("sha256");
  hash.update(await readAt(file, 0, SAMPLE_BYTES));
  const from = Math.max(0, byte - SAMPLE_BYTES);
  hash.update(await readAt(file, from, byte - from));
  return hash.digest("base64url").slice(0, 22);
}

/** Reads `length` bytes from `position`, or fewer at the end of the file. */
export async function readAt(file: ReadableFile, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
