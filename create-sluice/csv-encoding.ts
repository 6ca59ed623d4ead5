import { isUtf8 } from "node:buffer";

/** What the first bytes of a file say about its text. */
export interface CsvEncoding {
  /** The name of the encoding, as the option `encoding` of `fileLines` takes it. */
  readonly name: "utf-8" | "utf-16le" | "utf-16be" | "windows-1252";
  /** How many bytes at the start are a byte order mark, which is no part of the text. */
  readonly markBytes: number;
  /** The first line of UTF-8 text with bytes that are not UTF-8, counted from 1. `undefined`: there is none. */
  readonly damagedLine?: number;
}

/** Files that are no text, by the bytes with which they begin. */
const BINARY = [
  { starts: [0x50, 0x4b, 0x03, 0x04], is: "a ZIP archive or an Excel workbook: save it as CSV" },
  { starts: [0xd0, 0xcf, 0x11, 0xe0], is: "an Excel workbook: save it as CSV" },
  { starts: [0x1f, 0x8b], is: "compressed: decompress it with gunzip" },
  { starts: [0xff, 0xfe, 0x00, 0x00], is: "in UTF-32: convert it, for example with iconv -f UTF-32 -t UTF-8" },
];

/** A character that is not ASCII, in UTF-8. */
const LETTER = /[^\0-\u007f\ufffd]/gu;

/** So many bytes are decoded at a time, because a string has at most 512 MiB. */
const CHUNK_BYTES = 1_048_576;

/** What a decoder writes for bytes that are not UTF-8. */
const DAMAGED = "\ufffd";

/**
 * Finds out the encoding of a CSV file. Text that is neither UTF-8 nor UTF-16 is taken for windows-1252, which Excel
 * writes in Western countries. The bytes do not show whether it is another encoding of this kind, so the user must be told.
 *
 * @throws {Error} The file is no text. The message is the end of a sentence that begins with "The file is".
 */
export function encodingOf(content: Uint8Array): CsvEncoding {
  const begins = (bytes: readonly number[]) => bytes.every((byte, index) => content[index] === byte);
  const binary = BINARY.find(({ starts }) => begins(starts));
  if (binary !== undefined) throw new Error(binary.is);
  if (begins([0xef, 0xbb, 0xbf])) return { name: "utf-8", markBytes: 3 };
  if (begins([0xff, 0xfe])) return { name: "utf-16le", markBytes: 2 };
  if (begins([0xfe, 0xff])) return { name: "utf-16be", markBytes: 2 };
  return { ...(utf16Of(content.subarray(0, 4_096)) ?? asciiBased(content)), markBytes: 0 };
}

/**
 * Distinguishes windows-1252 from UTF-8 with some invalid bytes, such as a file that was cut off or that was merged from two.
 * Letters with accents in windows-1252 are almost never valid UTF-8.
 */
function asciiBased(content: Uint8Array): Omit<CsvEncoding, "markBytes"> {
  if (isUtf8(content)) return { name: "utf-8" };
  const decoder = new TextDecoder("utf-8");
  let letters = 0;
  let damaged = 0;
  let damagedLine = 1;
  let line = 1;
  for (let from = 0; from < content.length; from += CHUNK_BYTES) {
    const end = from + CHUNK_BYTES;
    const text = decoder.decode(content.subarray(from, end), { stream: end < content.length });
    const [intact = "", ...others] = text.split(DAMAGED);
    if (damaged === 0) damagedLine = line + lineEnds(intact);
    damaged += others.length;
    letters += text.match(LETTER)?.length ?? 0;
    const isDivided = text.endsWith("\r") && content[end] === "\n".charCodeAt(0);
    line += lineEnds(text) - (isDivided ? 1 : 0);
  }
  return letters <= damaged ? { name: "windows-1252" } : { name: "utf-8", damagedLine };
}

const lineEnds = (text: string): number => text.match(/\r\n|\r|\n/g)?.length ?? 0;

/** UTF-16 without a byte order mark: one byte of each ASCII character is 0, always on the same side. */
function utf16Of(sample: Uint8Array): Omit<CsvEncoding, "markBytes"> | undefined {
  let even = 0;
  let odd = 0;
  for (const [index, byte] of sample.entries()) {
    if (byte !== 0) continue;
    if (index % 2 === 0) even++;
    else odd++;
  }
  const few = sample.length / 40;
  if (odd > few && even < odd / 10) return { name: "utf-16le" };
  if (even > few && odd < even / 10) return { name: "utf-16be" };
  return undefined;
}
