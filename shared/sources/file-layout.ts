import { isUtf8 } from "node:buffer";
import type { FileHandle } from "node:fs/promises";
import { SourceError } from "../base/errors.ts";
import { readAt } from "./file-identity.ts";
import type { Place } from "./file-records.ts";
import type { TextEncoding } from "./text-encoding.ts";

/** What a file's first bytes tell about all of it. It is looked at whenever the reading goes on, so a cursor need not hold it. */
export interface FileLayout {
  readonly size: number;
  /** Where its first record starts: behind a byte order mark, and behind a line such as `sep=;`. */
  readonly start: Place;
  readonly encoding: TextEncoding;
  /** The character that ends a line: LF, or CR in a file that has no others. */
  readonly lineEnd: number;
  /** The delimiter that the first line names, as Excel writes it: `sep=;`. */
  readonly separator?: string | undefined;
}

export interface LayoutOptions {
  readonly encoding: TextEncoding;
  /** The character inside a pair of which a line does not end. */
  readonly quote?: number | undefined;
  /** Whether the first line may name the delimiter. */
  readonly mayNameSeparator: boolean;
}

const LF = 0x0a;
const CR = 0x0d;

/** Files that hold no text, by their first bytes, and what to do with them. */
const BINARY_FORMATS = [
  { starts: Buffer.from("1f8b", "hex"), is: "compressed: unpack it, such as with gunzip" },
  { starts: Buffer.from("28b52ffd", "hex"), is: "compressed: unpack it, such as with unzstd" },
  { starts: Buffer.from("fd377a585a00", "hex"), is: "compressed: unpack it, such as with unxz" },
  { starts: Buffer.from("BZh91AY&SY"), is: "compressed: unpack it, such as with bunzip2" },
  { starts: Buffer.from("PK\x03\x04"), is: "a ZIP archive, or a workbook such as .xlsx: unpack it, or save it as CSV" },
  { starts: Buffer.from("d0cf11e0a1b11ae1", "hex"), is: "a workbook of Excel (.xls): save it as CSV" },
  { starts: Buffer.from("PAR1"), is: "in Parquet, which fileLines does not read: convert it to JSON Lines" },
];

/** Enough for the first line. */
const HEAD_BYTES = 65_536;
/** Enough to tell UTF-16 from UTF-8. */
const SAMPLE_BYTES = 4_096;

/**
 * Looks at a file's first bytes.
 *
 * @throws {SourceError} It is compressed, holds no text, or has another encoding than the option says.
 */
export async function layoutOf(file: FileHandle, name: string, options: LayoutOptions): Promise<FileLayout> {
  const { size } = await file.stat();
  const { encoding, quote, mayNameSeparator } = options;
  const all = await readAt(file, 0, HEAD_BYTES);
  const binary = BINARY_FORMATS.find(({ starts }) => all.subarray(0, starts.length).equals(starts));
  if (binary !== undefined) throw unusable(`${name} is ${binary.is}`);
  const markBytes = checkEncoding(all, name, encoding);
  const head = all.subarray(markBytes);
  const lineEnd = lineEndOf(head, encoding, quote);
  const start = { byte: markBytes, line: 1 };
  const layout = { size, start, encoding, lineEnd };
  if (!mayNameSeparator) return layout;
  const end = encoding.indexOf(head, lineEnd);
  const first = end === -1 ? head : head.subarray(0, end);
  const separator = separatorOf(first, encoding);
  if (separator === undefined) return layout;
  const byte = markBytes + (end === -1 ? head.length : end + encoding.width);
  return { ...layout, separator, start: { byte, line: 2 } };
}

/** Returns how many bytes the byte order mark takes. */
function checkEncoding(head: Buffer, name: string, { name: expected }: TextEncoding): number {
  const mark = head.subarray(0, 4).toString("hex");
  if (mark === "fffe0000") throw unusable(`${name} is in UTF-32: convert it, such as with iconv -f UTF-32 -t UTF-8`);
  if (mark.startsWith("efbbbf")) {
    if (expected === "utf-8") return 3;
    throw unusable(`${name} begins with the byte order mark of UTF-8, but encoding is "${expected}": leave it out`);
  }
  if (mark.startsWith("fffe") && mark !== "fffe") {
    if (expected === "utf-16le") return 2;
    throw isInUtf16(name, "utf-16le", "it begins with its byte order mark");
  }
  if (mark.startsWith("feff")) {
    if (expected === "utf-16be") return 2;
    throw isInUtf16(name, "utf-16be", "it begins with its byte order mark");
  }
  const found = utf16Of(head.subarray(0, SAMPLE_BYTES));
  const isUtf16 = expected === "utf-16le" || expected === "utf-16be";
  if (found !== undefined && found !== expected) throw isInUtf16(name, found, "every other byte is 0");
  if (found === undefined && isUtf16 && head.length > 0 && isUtf8(head.subarray(0, SAMPLE_BYTES))) {
    throw unusable(`${name} is not in UTF-16, but encoding is "${expected}": leave it out, as it looks like UTF-8`);
  }
  return 0;
}

/** The file stays as it is, so another attempt cannot succeed. */
const unusable = (message: string): SourceError => new SourceError(message, { permanent: true });

function isInUtf16(name: string, encoding: "utf-16le" | "utf-16be", because: string): SourceError {
  return unusable(
    `${name} is in UTF-16 (${because}): set encoding: "${encoding}", or convert it, such as with iconv -f UTF-16 -t UTF-8`,
  );
}

/**
 * UTF-16 without a byte order mark. In it, one byte of each ASCII character is 0, always on the same side, and any list of
 * values has ASCII characters: its line ends, delimiters and digits. In other encodings, 0 stands for a control character
 * that no text has.
 */
function utf16Of(sample: Buffer): "utf-16le" | "utf-16be" | undefined {
  let even = 0;
  let odd = 0;
  for (let zero = sample.indexOf(0); zero !== -1; zero = sample.indexOf(0, zero + 1)) {
    if (zero % 2 === 0) even++;
    else odd++;
  }
  const few = sample.length / 40;
  if (odd > few && even < odd / 10) return "utf-16le";
  if (even > few && odd < even / 10) return "utf-16be";
  return undefined;
}

/**
 * The character that ends the first line, outside quotes. Programs for the old Mac OS, and Excel on request, end lines with
 * CR alone; CR CR LF comes from a text with CR LF that was written as text on Windows, and ends one line.
 */
function lineEndOf(head: Buffer, { indexOf, codeAt, width }: TextEncoding, quote: number | undefined): number {
  let quoted = false;
  for (let offset = 0; offset < head.length; offset += width) {
    const code = codeAt(head, offset);
    if (code === quote) quoted = !quoted;
    if (quoted) continue;
    if (code === LF) return LF;
    if (code !== CR) continue;
    let next = offset + width;
    while (codeAt(head, next) === CR) next += width;
    return codeAt(head, next) === LF ? LF : CR;
  }
  // No line ends outside quotes, or the quotes do not pair.
  return indexOf(head, CR) !== -1 && indexOf(head, LF) === -1 ? CR : LF;
}

function separatorOf(firstLine: Buffer, encoding: TextEncoding): string | undefined {
  // Longer than any such line.
  if (firstLine.length > 20 * encoding.width) return undefined;
  try {
    return /^"?sep=([\t -~])"?\r*$/i.exec(encoding.decode(firstLine))?.[1];
  } catch {
    return undefined;
  }
}
