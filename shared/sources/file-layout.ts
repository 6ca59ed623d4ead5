import { isUtf8 } from "node:buffer";
import { SourceError } from "../base/errors.ts";
import { readAt } from "./file-identity.ts";
import type { Place } from "./file-records.ts";
import type { ReadableFile } from "./readable-file.ts";
import type { TextEncoding } from "./text-encoding.ts";

/**
 * What the first bytes of a file say about the whole file. Each slice of the producer reads these bytes again, so the
 * cursor need not contain the layout.
 */
export interface FileLayout {
  /** The size of the file, in bytes. */
  readonly size: number;
  /** Where the first record starts: after a byte order mark and after a line such as `sep=;`. */
  readonly start: Place;
  readonly encoding: TextEncoding;
  /** The character that ends a line: LF, or CR in a file without LF. */
  readonly lineEnd: number;
  /** The delimiter that the first line names, in the form that Excel writes: `sep=;`. */
  readonly separator?: string | undefined;
}

/** What `layoutOf` knows from the options and the format. */
export interface LayoutOptions {
  readonly encoding: TextEncoding;
  /** The quote character. A line end between a pair of quotes does not end a line. */
  readonly quote?: number | undefined;
  /** Whether the first line may name the delimiter. */
  readonly mayNameSeparator: boolean;
  /** What to do with a file that is compressed with gzip. Default: decompress it. */
  readonly gzipFix?: string | undefined;
}

const LF = 0x0a;
const CR = 0x0d;

/** The first bytes of files that are not text, and what the user should do with such a file. */
const BINARY_FORMATS = [
  { starts: Buffer.from("1f8b", "hex"), is: "compressed: decompress it, for example with gunzip" },
  { starts: Buffer.from("28b52ffd", "hex"), is: "compressed: decompress it, for example with unzstd" },
  { starts: Buffer.from("fd377a585a00", "hex"), is: "compressed: decompress it, for example with unxz" },
  { starts: Buffer.from("BZh91AY&SY"), is: "compressed: decompress it, for example with bunzip2" },
  { starts: Buffer.from("PK\x03\x04"), is: "a ZIP archive, or a workbook such as .xlsx: unpack it, or save it as CSV" },
  { starts: Buffer.from("d0cf11e0a1b11ae1", "hex"), is: "an Excel workbook (.xls): save it as CSV" },
  { starts: Buffer.from("PAR1"), is: "a Parquet file, which Sluice cannot read: convert it to JSON Lines" },
];

/** How many bytes are read to find the first line. */
const HEAD_BYTES = 65_536;
/** How many bytes are examined to tell UTF-16 from UTF-8. */
const SAMPLE_BYTES = 4_096;

/**
 * Determines the layout of a file from its first bytes.
 *
 * @throws {SourceError} The file is compressed, is not text, or does not have the encoding that the option names.
 */
export async function layoutOf(file: ReadableFile, name: string, options: LayoutOptions): Promise<FileLayout> {
  const { size } = await file.stat();
  const { encoding, quote, mayNameSeparator } = options;
  const all = await readHead(file, encoding);
  const binary = BINARY_FORMATS.find(({ starts }) => all.subarray(0, starts.length).equals(starts));
  if (binary !== undefined) {
    const isGzip = binary === BINARY_FORMATS[0] && options.gzipFix !== undefined;
    throw unusable(`${name} is ${isGzip ? `compressed: ${options.gzipFix}` : binary.is}`);
  }
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

/**
 * Reads the first bytes of a file. If these bytes end in CR, more bytes are read, because the byte after a CR decides
 * whether the CR is a line end or a part of CR LF.
 */
async function readHead(file: ReadableFile, { codeAt, width }: TextEncoding): Promise<Buffer> {
  let head = await readAt(file, 0, HEAD_BYTES);
  while (codeAt(head, head.length - width) === CR && head.length < 2 * HEAD_BYTES) {
    const more = await readAt(file, head.length, SAMPLE_BYTES);
    if (more.length === 0) break;
    head = Buffer.concat([head, more]);
  }
  return head;
}

/** Returns the length of the byte order mark, in bytes. */
function checkEncoding(head: Buffer, name: string, { name: expected }: TextEncoding): number {
  const mark = head.subarray(0, 4).toString("hex");
  if (mark === "fffe0000")
    throw unusable(`${name} is in UTF-32: convert it, for example with iconv -f UTF-32 -t UTF-8`);
  if (mark.startsWith("efbbbf")) {
    if (expected === "utf-8") return 3;
    throw unusable(
      `${name} begins with the byte order mark of UTF-8, but encoding is "${expected}": leave the option encoding out`,
    );
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
    throw unusable(
      `${name} looks like UTF-8 and not like UTF-16, but encoding is "${expected}": leave the option encoding out`,
    );
  }
  return 0;
}

/** The error is permanent: the file stays the same, so another attempt cannot succeed. */
const unusable = (message: string): SourceError => new SourceError(message, { permanent: true });

function isInUtf16(name: string, encoding: "utf-16le" | "utf-16be", because: string): SourceError {
  return unusable(
    `${name} is in UTF-16 (${because}): set encoding: "${encoding}", or convert the file, for example with ` +
      "iconv -f UTF-16 -t UTF-8",
  );
}

/**
 * Detects UTF-16 without a byte order mark. In UTF-16, one byte of each ASCII character is 0, always on the same side.
 * Any list of values contains ASCII characters: line ends, delimiters, digits. In other encodings, 0 is a control
 * character, which text does not contain.
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
 * The character that ends the first line, outside quotes. Programs for the old Mac OS, and Excel on request, end lines
 * with CR alone. CR CR LF is one line end. Windows writes it when a program writes CR LF in text mode.
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
  // The head contains no line end outside quotes, or its quotes are not in pairs.
  return indexOf(head, CR) !== -1 && indexOf(head, LF) === -1 ? CR : LF;
}

function separatorOf(firstLine: Buffer, encoding: TextEncoding): string | undefined {
  // A longer line cannot have the form sep=;
  if (firstLine.length > 20 * encoding.width) return undefined;
  try {
    return /^"?sep=([\t -~])"?\r*$/i.exec(encoding.decode(firstLine))?.[1];
  } catch {
    return undefined;
  }
}
