/** One link of a `Link` header. */
export interface Link {
  /** The URL between `<` and `>`. Bytes beyond ASCII are percent-encoded. */
  readonly target: string;
  /** The relation types in the first `rel` parameter, in lower case. */
  readonly rels: readonly string[];
  /** The page to which the link belongs. Absent: the page that sent the header. */
  readonly anchor?: string | undefined;
  /** The page to which the link leads has no items (`results="false"`, as Sentry sends it). */
  readonly isEmpty?: true;
}

/** The links of a header, and where the parser stopped. */
export interface ParsedLinks {
  /** The links before the first malformed part. */
  readonly links: readonly Link[];
  /** Why the parser did not read the rest of the header. `undefined` if the whole header is well formed. */
  readonly malformed: string | undefined;
}

/**
 * Parses a `Link` header as RFC 8288 defines it (https://www.rfc-editor.org/rfc/rfc8288#section-3). `Headers` joins
 * several headers by commas, and the parser accepts that. It also accepts forms that the standard does not allow and
 * that services send: single quotes, missing quotes around several relation types, missing semicolons, empty elements,
 * spaces between any two parts, bytes beyond ASCII.
 *
 * The parser never guesses. If a part can be read in two ways, or a link may have lost its `rel`, the rest of the
 * header is malformed.
 */
export function parseLinkHeader(header: string): ParsedLinks {
  const links: Link[] = [];
  const reader = new Reader(header);
  try {
    for (;;) {
      reader.skip(/[ \t,]*/y);
      if (reader.atEnd) return { links, malformed: undefined };
      const link = readLink(reader);
      if (link !== undefined) links.push(link);
    }
  } catch (thrown) {
    if (thrown instanceof Malformed) return { links, malformed: thrown.message };
    throw thrown;
  }
}

class Malformed extends Error {}

class Reader {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.at === this.text.length;
  }

  get character(): string {
    return this.text[this.at] ?? "";
  }

  /**
   * Moves past the text that a sticky pattern matches at the current place. Returns `undefined` if it does not match.
   */
  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text) ?? undefined;
    if (match !== undefined) this.at = pattern.lastIndex;
    return match;
  }

  skip(pattern: RegExp): void {
    this.take(pattern);
  }

  fail(problem: string): Malformed {
    return new Malformed(`${problem} at character ${this.at + 1}`);
  }
}

const SPACES = /[ \t]*/y;
const TARGET = /<([^<>"]*)>/y;
/** A token of RFC 9110. The apostrophe is left out, because it would be half of a pair of quotes. */
const NAME = /[!#$%&*+.^_`|~\w-]+/y;
const DOUBLE_QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const SINGLE_QUOTED = /'([^']*)'(?=[ \t]*(?:[;,]|$))/y;
const UNQUOTED = /[^;,]*/y;
/** A registered relation type, or a URI. */
const RELATION = /^(?:[a-z][a-z0-9._-]*|[a-z][a-z0-9+.-]*:[^\s"'<>]+)$/;

/** Reads a link. Returns `undefined` for a link without a relation type, which cannot be a next page. */
function readLink(reader: Reader): Link | undefined {
  const start = reader.at;
  const target = reader.take(TARGET)?.[1];
  if (target === undefined) throw reader.fail("there is no <URL>");
  if (/;[ \t]*rel\*?[ \t]*=/i.test(target)) throw reader.fail("the URL before this place has no >");
  const parameters = new Map<string, string>();
  for (;;) {
    reader.skip(/[ \t;]*/y);
    if (reader.atEnd || reader.character === ",") break;
    const name = reader.take(NAME)?.[0].toLowerCase();
    if (name === undefined) throw reader.fail("the name of a parameter is missing");
    if (name === "next") throw reader.fail("the word next is outside a rel");
    reader.skip(SPACES);
    const value = reader.take(/=[ \t]*/y) === undefined ? "" : readValue(reader);
    // If a parameter occurs twice, the first one counts: RFC 8288, sections 3.3 and 3.4.1.
    if (!parameters.has(name)) parameters.set(name, value);
  }
  const rel = parameters.get("rel") ?? extendedValue(reader, parameters.get("rel*"));
  if (rel === undefined) {
    if (!/next/i.test(reader.text.slice(start, reader.at))) return undefined;
    throw reader.fail("a link that mentions next has no rel");
  }
  const rels = rel
    .trim()
    .toLowerCase()
    .split(/[ \t]+/);
  if (!rels.every((each) => RELATION.test(each)))
    throw reader.fail(`the rel ${JSON.stringify(rel)} is not a relation type`);
  return {
    target: encodeBytes(target.trim()),
    rels,
    anchor: parameters.get("anchor"),
    // Sentry's last page has a next link, too: https://docs.sentry.io/api/pagination
    ...(parameters.get("results")?.toLowerCase() === "false" && { isEmpty: true }),
  };
}

function readValue(reader: Reader): string {
  if (reader.character === '"') {
    const quoted = reader.take(DOUBLE_QUOTED)?.[1];
    if (quoted === undefined) throw reader.fail("a quote is not closed");
    return quoted.replaceAll(/\\(.)/g, "$1");
  }
  const single = reader.take(SINGLE_QUOTED)?.[1];
  if (single !== undefined) {
    // The apostrophes of two values can look like one pair of quotes.
    if (/[;,][ \t]*(?:rel\*?[ \t]*=|<)/i.test(single)) throw reader.fail("the text in single quotes looks like a link");
    return single;
  }
  const value = reader.take(UNQUOTED)?.[0].trim() ?? "";
  if (/[<>"]|[ \t]\S*=/.test(value)) throw reader.fail("a value without quotes cannot be parsed");
  return value;
}

/** Decodes a value such as `UTF-8'en'n%65xt` (RFC 8187). */
function extendedValue(reader: Reader, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const [, charset = "", encoded = ""] = /^([\w-]+)'[\w-]*'(.*)$/.exec(value) ?? [];
  try {
    if (/^(?:utf-8|us-ascii|iso-8859-1)$/i.test(charset)) return decodeURIComponent(encoded);
  } catch {
    // The value is invalid, and the error below says so.
  }
  throw reader.fail(`the rel* ${JSON.stringify(value)} cannot be decoded`);
}

/** Percent-encodes bytes beyond ASCII. `fetch` returns a header as text with one character for each byte. */
function encodeBytes(url: string): string {
  return url.replaceAll(/[\u0080-\u00FF]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}
