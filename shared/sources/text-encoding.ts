import { isUtf8 } from "node:buffer";
import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";

/** How the bytes of a file are characters, and where in them ASCII characters stand. */
export interface TextEncoding {
  /** As the option names it. */
  readonly name: string;
  /** Bytes of an ASCII character: 2 in UTF-16, else 1. */
  readonly width: 1 | 2;
  /**
   * The text of some bytes.
   *
   * @throws {Error} They are not of this encoding.
   */
  decode(bytes: Buffer): string;
  /** Where an ASCII character stands at or after an offset; -1 where it does not. The bytes begin with a character. */
  indexOf(bytes: Buffer, code: number, from?: number): number;
  /** The ASCII character at an offset; another number where another character stands there. */
  codeAt(bytes: Buffer, offset: number): number;
}

const OTHER_ENCODING = 'set encoding, such as "windows-1252", if the file has another one';

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
 * The encoding that an option names: any that the Encoding Standard knows, in which ASCII characters have bytes of their
 * own. https://encoding.spec.whatwg.org/#names-and-labels
 *
 * @throws {ConfigurationError} It is not known, or ASCII bytes are part of other characters in it.
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
    // In ISO-2022-JP, bytes of ASCII are parts of other characters.
    const decoder = new TextDecoder(label as string, { fatal: true, ignoreBOM: true });
    if (typeof label === "string" && decoder.encoding !== "iso-2022-jp") return decoder;
  } catch {
    // It is not known.
  }
  throw new ConfigurationError(
    `encoding must be one of the Encoding Standard, in which ASCII characters have bytes of their own, but is ` +
      `${show(label)}: give one, such as "utf-8", "utf-16le" or "windows-1252"`,
  );
}
