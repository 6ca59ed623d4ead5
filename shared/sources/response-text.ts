import { isUtf8 } from "node:buffer";
import { SourceError } from "../base/errors.ts";
import { show } from "../base/options.ts";

const FIX = 'Set the option charset to the charset that the service uses, such as charset: "iso-8859-1"';

/** A response's body, in the parts in which it arrived. Joining the parts would cost as much as decoding them. */
export type Chunks = readonly Uint8Array[];

/** Reads up to `limit` bytes of a response's body. `complete` says whether these bytes are the whole body. */
export async function readChunks(
  response: Response,
  limit: number,
): Promise<{ readonly chunks: Chunks; readonly complete: boolean }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    length += chunk.byteLength;
    if (length > limit) return { chunks: [Buffer.concat(chunks).subarray(0, limit)], complete: false };
  }
  return { chunks, complete: true };
}

/** Whether `TextDecoder` knows a charset of this name (https://encoding.spec.whatwg.org/#names-and-labels). */
export function isCharset(label: string): boolean {
  try {
    return new TextDecoder(label) !== undefined;
  } catch {
    return false;
  }
}

/** What `decodeBody` needs in addition to the bytes. */
export interface BodyCharset {
  readonly headers: Headers;
  /** The charset that the option `charset` names. */
  readonly charset?: string | undefined;
  /** The name of the request for messages. */
  readonly what: string;
}

/**
 * Decodes the text of a body. The charset comes from the first of these sources that names one: a byte order mark, the
 * option `charset`, the content type. Without any of them, it is UTF-8 (https://encoding.spec.whatwg.org/#decode and
 * https://www.rfc-editor.org/rfc/rfc8259#section-8.1). The byte order mark is not part of the text.
 *
 * @throws {SourceError} The charset is unknown, or some bytes are invalid in it. No character is replaced silently.
 */
export function decodeBody(chunks: Chunks, { headers, charset, what }: BodyCharset): string {
  const type = headers.get("content-type") ?? "";
  const [label, evidence] = [
    [markOf(chunks), "as its byte order mark says"],
    [charset, "as the option charset says"],
    [charsetOf(type), `as its content type ${show(type)} says`],
    ["UTF-8", `and its content type ${show(type)} declares no charset`],
  ].find((each): each is [string, string] => each[0] !== undefined) as [string, string];
  if (!isCharset(label)) {
    throw new SourceError(`${what} answered in the unknown charset ${show(label)}, ${evidence}. ${FIX}`);
  }
  const text = decode(chunks, label);
  if (text !== undefined) return text;
  const bytes = Buffer.concat(chunks);
  const offset = isAscii(label) ? bytes.findIndex((byte) => byte > 0x7f) : firstInvalid(bytes, label);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    throw new SourceError(
      `${what} answered with a body that is compressed by gzip, but its content-encoding does not say so: decompress the ` +
        "body in the option fetch",
    );
  }
  const byte = `0x${(bytes[offset] ?? 0).toString(16).toUpperCase().padStart(2, "0")}`;
  throw new SourceError(
    `${what} answered with a body that is not ${label}, ${evidence}: byte ${offset} is ${byte}. ${FIX}`,
  );
}

/** Decodes the text of a body. Returns `undefined` if some bytes are invalid in the charset. */
function decode(chunks: Chunks, label: string): string | undefined {
  if (isAscii(label) && chunks.some((chunk) => chunk.some((byte) => byte > 0x7f))) return undefined;
  const isUnicode = new TextDecoder(label).encoding === "utf-8";
  // For UTF-8, a decoder that replaces invalid bytes is several times as fast as one that throws.
  const decoder = new TextDecoder(label, { fatal: !isUnicode });
  let text = "";
  try {
    for (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
    text += decoder.decode();
  } catch {
    return undefined;
  }
  const isReplaced = isUnicode && text.includes("\uFFFD") && !isUtf8(Buffer.concat(chunks));
  return isReplaced ? undefined : text;
}

/**
 * Whether a charset is ASCII. The Encoding Standard decodes ASCII as windows-1252. UTF-8 text that is wrongly declared
 * as ASCII would then silently become other characters.
 */
const isAscii = (label: string): boolean => /^(?:(?:us-)?ascii|ansi_x3\.4-1968)$/i.test(label.trim());

/** Decodes the text of a body that is only shown in a message. Invalid bytes become U+FFFD. */
export function decodeForMessage(chunks: Chunks, headers: Headers): string {
  const label = markOf(chunks) ?? charsetOf(headers.get("content-type") ?? "") ?? "utf-8";
  // `stream: true` leaves out an incomplete character at the end.
  return new TextDecoder(isCharset(label) ? label : "utf-8").decode(Buffer.concat(chunks), { stream: true });
}

function charsetOf(contentType: string): string | undefined {
  const match = /;\s*charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,"']*))/i.exec(contentType);
  const label = (match?.[1] ?? match?.[2] ?? match?.[3])?.trim();
  return label === "" ? undefined : label;
}

/** The charset that the byte order mark at the start of a body names. */
function markOf(chunks: Chunks): string | undefined {
  // A chunk may be shorter than the mark.
  const start = chunks.filter(({ length }) => length > 0).slice(0, 3);
  const [first, second, third] = start.flatMap((chunk) => [...chunk.subarray(0, 3)]);
  if (first === 0xef && second === 0xbb && third === 0xbf) return "utf-8";
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  return undefined;
}

/** The bytes of the longest character of any charset. */
const LONGEST_CHARACTER = 4;

/** The offset of the first character that cannot be decoded. */
function firstInvalid(bytes: Uint8Array, label: string): number {
  const decodes = (length: number, stream: boolean): boolean => {
    try {
      new TextDecoder(label, { fatal: true }).decode(bytes.subarray(0, length), { stream });
      return true;
    } catch {
      return false;
    }
  };
  // Finds the shortest prefix of the body that is invalid whatever bytes follow it. If the body is only incomplete,
  // this prefix is the whole body.
  let [good, bad] = [0, bytes.length];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (decodes(middle, true)) good = middle;
    else bad = middle;
  }
  for (let start = bad - 1; start >= Math.max(0, bad - LONGEST_CHARACTER); start--) {
    if (decodes(start, false)) return start;
  }
  return bad - 1;
}
