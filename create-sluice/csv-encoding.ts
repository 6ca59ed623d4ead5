import { isUtf8 } from "node:buffer";

/** What the first bytes of a file say about its text. */
export interface CsvEncoding {
  /** The name of the encoding, as the option `encoding` of `fileLines` takes it. */
  readonly name: "utf-8" | "utf-16le" | "utf-16be" | "windows-1252";
  /** How many bytes at the start are a byte order mark, which is no part of the text. */
  readonly markBytes: number;
}

/** Files that are no text, by the bytes with which they begin. */
const BINARY = [
  { starts: [0x50, 0x4b, 0x03, 0x04], is: "a ZIP archive or an Excel workbook: save it as CSV" },
  { starts: [0xd0, 0xcf, 0x11, 0xe0], is: "an Excel workbook: save it as CSV" },
  { starts: [0x1f, 0x8b], is: "compressed: decompress it with gunzip" },
  { starts: [0xff, 0xfe, 0x00, 0x00], is: "in UTF-32: convert it, for example with iconv -f UTF-32 -t UTF-8" },
];

/**
 * Finds out the encoding of a CSV file. Text that is neither UTF-8 nor UTF-16 is taken for windows-1252, which Excel
 * writes in Western countries: nothing in the bytes tells it from encodings of its kind, so the user must be told.
 *
 * @throws {Error} The file is no text. The message goes on after "The file is".
 */
export function encodingOf(content: Uint8Array): CsvEncoding {
  const begins = (bytes: readonly number[]) => bytes.every((byte, index) => content[index] === byte);
  const binary = BINARY.find(({ starts }) => begins(starts));
  if (binary !== undefined) throw new Error(binary.is);
  if (begins([0xef, 0xbb, 0xbf])) return { name: "utf-8", markBytes: 3 };
  if (begins([0xff, 0xfe])) return { name: "utf-16le", markBytes: 2 };
  if (begins([0xfe, 0xff])) return { name: "utf-16be", markBytes: 2 };
  return { name: utf16Of(content.subarray(0, 4_096)) ?? (isUtf8(content) ? "utf-8" : "windows-1252"), markBytes: 0 };
}

/** UTF-16 without a byte order mark: one byte of each ASCII character is 0, always on the same side. */
function utf16Of(sample: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  let even = 0;
  let odd = 0;
  for (const [index, byte] of sample.entries()) {
    if (byte !== 0) continue;
    if (index % 2 === 0) even++;
    else odd++;
  }
  const few = sample.length / 40;
  if (odd > few && even < odd / 10) return "utf-16le";
  if (even > few && odd < even / 10) return "utf-16be";
  return undefined;
}
