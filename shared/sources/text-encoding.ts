import { isUtf8 } from "node:buffer";
import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";

/** How bytes of a file become characters, and how to find ASCII characters in the bytes. */
export interface TextEncoding {
  /** The name of the encoding, in the form that the option `encoding` uses. */
  readonly name: string;
  /** How many bytes an ASCII character takes: 2 in UTF-16, otherwise 1. */
  readonly width: 1 | 2;
  /**
   * Decodes bytes.
   *
   * @throws {Error} The bytes are invalid in this encoding.
   */
  decode(bytes: Buffer): string;
  /** The offset of an ASCII character at or after `from`, or -1. The bytes must begin at a character. */
  indexOf(bytes: Buffer, code: number, from?: number): number;
  /** The code of the ASCII character at an offset. For any other character, the result is not an ASCII code. */
  codeAt(bytes: Buffer, offset: number): number;
}

const OTHER_ENCODING = 'set the option encoding, such as "windows-1252", if the file has another encoding';

/** The default encoding. */
export const UTF_8: TextEncoding = {
  name: "utf-8",
  width: 1,
  decode(bytes) {
    if (!isUtf8(bytes)) throw new Error(`not UTF-8: ${OTHER_ENCODING}`);
    return bytes.toString("utf8");
  },
  indexOf: (bytes, code, from) => bytes.indexOf(code, from),
  codeAt: (bytes, offset) => bytes[offset] ?? -1,
};

/**
 * Checks the option `encoding`. It must name an encoding of the Encoding Standard in which an ASCII byte is always an
 * ASCII character. https://encoding.spec.whatwg.org/#names-and-labels
 *
 * @throws {ConfigurationError} The encoding is unknown, or an ASCII byte can be a part of another character in it.
 */
export function encodingOption(label: unknown = "utf-8"): TextEncoding {
  const decoder = decoderOf(label);
  const { encoding: name } = decoder;
  if (name === "utf-8") return UTF_8;
  const decode = (bytes: Buffer): string => {
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new Error(`not ${name}: ${OTHER_ENCODING}`, { cause });
    }
  };
  if (name !== "utf-16le" && name !== "utf-16be") {
    return { ...UTF_8, name, decode };
  }
  const littleEndian = name === "utf-16le";
  return {
    name,
    width: 2,
    decode,
    indexOf(bytes, code, from = 0) {
      const character = Buffer.from(littleEndian ? [code, 0] : [0, code]);
      let found = bytes.indexOf(character, from);
      while (found % 2 === 1) found = bytes.indexOf(character, found + 1);
      return found;
    },
    codeAt: (bytes, offset) =>
      offset + 1 < bytes.length ? (littleEndian ? bytes.readUInt16LE(offset) : bytes.readUInt16BE(offset)) : -1,
  };
}

function decoderOf(label: unknown): InstanceType<typeof TextDecoder> {
  try {
    // In ISO-2022-JP, ASCII bytes are parts of other characters.
    const decoder = new TextDecoder(label as string, { fatal: true, ignoreBOM: true });
    if (typeof label === "string" && decoder.encoding !== "iso-2022-jp") return decoder;
  } catch {
    // The encoding is unknown.
  }
  throw new ConfigurationError(
    `encoding must be an encoding of the Encoding Standard in which each ASCII byte is an ASCII character, but is ` +
      `${show(label)}: use one such as "utf-8", "utf-16le" or "windows-1252"`,
  );
}
