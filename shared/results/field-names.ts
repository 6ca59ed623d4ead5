const ID = Buffer.from('{"id":"');
const RESULT = Buffer.from(',"result":{');

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING = new Set([0x7b, 0x5b]);
const CLOSING = new Set([0x7d, 0x5d]);
const END_OF_OBJECT = 0x7d;

/**
 * Recognises rows of parts whose results have the same fields as a row before. To parse a row takes several times as long,
 * and most rows of a run have the same fields.
 */
export class FieldNames {
  readonly #names: readonly Buffer[];

  /** @param names The fields of a result, in their order. */
  constructor(names: readonly string[]) {
    this.#names = names.map((name) => Buffer.from(`${JSON.stringify(name)}:`));
  }

  /** Whether the result of a row has only these fields, in this order. A row that is written in another way is not recognised. */
  matches(line: Buffer): boolean {
    if (!has(line, ID, 0)) return false;
    let at = endOfText(line, ID.length - 1);
    if (!has(line, RESULT, at)) return false;
    at += RESULT.length;
    for (const name of this.#names) {
      if (!has(line, name, at)) return false;
      at = endOfValue(line, at + name.length);
      if (line[at] !== COMMA) break;
      at++;
    }
    return line[at] === END_OF_OBJECT;
  }
}

/** Whether the bytes are in the line at this place. For few bytes, this is faster than `Buffer.compare`. */
function has(line: Buffer, bytes: Buffer, at: number): boolean {
  for (let index = 0; index < bytes.length; index++) if (line[at + index] !== bytes[index]) return false;
  return true;
}

/** The place after a value of JSON. */
function endOfValue(line: Buffer, start: number): number {
  if (line[start] === QUOTE) return endOfText(line, start);
  let depth = 0;
  for (let at = start; at < line.length; at++) {
    const byte = line[at] ?? 0;
    if (byte === QUOTE) at = endOfText(line, at) - 1;
    else if (OPENING.has(byte)) depth++;
    else if (depth === 0 && (byte === COMMA || CLOSING.has(byte))) return at;
    else if (CLOSING.has(byte) && --depth === 0) return at + 1;
  }
  return line.length;
}

/** The place after a text of JSON that begins with the quote at `start`. */
function endOfText(line: Buffer, start: number): number {
  for (let end = line.indexOf(QUOTE, start + 1); end >= 0; end = line.indexOf(QUOTE, end + 1)) {
    let first = end;
    while (line[first - 1] === BACKSLASH) first--;
    // An even number of backslashes does not escape the quote.
    if ((end - first) % 2 === 0) return end + 1;
  }
  return line.length;
}
