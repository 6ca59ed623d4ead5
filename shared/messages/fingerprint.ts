import { createHash } from "node:crypto";

/** Identifies a kind of error. Errors that differ only in the details of their items have the same fingerprint. */
export interface Fingerprint {
  /** Eight hexadecimal digits: equal for errors of one kind, and short enough to type. */
  readonly id: string;
  /** The error's name and message, with placeholders for the details. At most 300 characters. */
  readonly text: string;
}

/**
 * How many characters of an error message are used. The beginning of a message identifies its kind, and 100,000 messages
 * must take only seconds.
 */
const CHARACTERS_LOOKED_AT = 2_000;
const LONGEST_TEXT = 300;

/**
 * The fingerprint of an error. Placeholders replace ids, numbers, hexadecimals, quoted values, paths, URLs, addresses and
 * times. Texts that identify a kind of error stay: HTTP statuses, error codes, names such as `utf8` or `sha256`.
 *
 * @example fingerprint("Error", "connect ECONNREFUSED 10.0.3.7:5432").text // "Error: connect ECONNREFUSED <address>"
 */
export function fingerprint(name: string, message: string): Fingerprint {
  const normalised = normalise(message.slice(0, CHARACTERS_LOOKED_AT));
  const whole = normalised === "" ? name : `${name}: ${normalised}`;
  const id = createHash("sha256").update(whole).digest("hex").slice(0, 8);
  return { id, text: whole.length > LONGEST_TEXT ? `${whole.slice(0, LONGEST_TEXT - 1)}…`.toWellFormed() : whole };
}

// The text is searched once, so no pattern is applied to a placeholder. If two patterns match at one place, the first one
// in this list wins.
const PATTERNS = {
  url: String.raw`\b[a-z][a-z0-9+.-]*:\/\/[^\s"'\`<>(){}\[\]]+`,
  arn: String.raw`\barn:aws[\w-]*:[^\s"'\`,;(){}\[\]]+`,
  quoted: String.raw`"(?:[^"\\]|\\.)*"|(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)|${"`[^`]*`"}|[“„][^”“]*[”“]|‘[^’]*’(?!\w)`,
  time: [
    String.raw`\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?(?:Z|UTC|[+-]\d{2}:?\d{2})\b)?)?(?!\w)`,
    String.raw`\b\d{8}T\d{6}Z\b|(?<![\w:.-])\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?![\w:])`,
    String.raw`\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\d{1,2} [A-Z][a-z]{2}|[A-Z][a-z]{2} \d{1,2}) \d{4} \d{2}:\d{2}:\d{2}(?: (?:GMT|UTC)?(?:[+-]\d{4})?)?`,
  ].join("|"),
  uuid: String.raw`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`,
  email: String.raw`[\w.+-]+@[\w-]+(?:\.[\w-]+)+`,
  address: [
    String.raw`\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+|\/\d{1,2})?\b`,
    // An address has two colons side by side, or all eight groups. Otherwise a time of day would match.
    String.raw`\[?(?<![\w:])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:)*[0-9a-f]{0,4}::(?:[0-9a-f]{1,4}:)*(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}))(?![\w:]*[g-z])(?:\]?:\d+|\])?`,
  ].join("|"),
  host: [
    String.raw`(?<=\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENODATA|ESERVFAIL) )[\w-]+(?:\.[\w-]+)*(?::\d+)?`,
    String.raw`\b(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*:\d{2,5}\b|\blocalhost(?::\d+)?\b`,
    String.raw`\b(?:[a-z0-9_-]+\.){2,}(?:com|net|org|io|dev|cloud|internal|local|app|eu|de|uk|fr|jp|cn|us|aws)\b`,
  ].join("|"),
  path: [
    String.raw`(?<![\w<>/.~*])(?:~|\.{1,2})?(?:\/[\w.@%+~$=-]+)+\/?(?::\d+)*(?:\?[\w.%&=+~-]+)?`,
    String.raw`\b[A-Za-z]:\\[^\s"'<>|]+`,
  ].join("|"),
  // Names that look like a number or an id, and stay.
  kept: [
    String.raw`\b(?:utf-?(?:8|16|32)(?:le|be|mb4)?|base-?(?:32|58|64)(?:url)?|sha-?\d{1,3}|md5|aes-?\d{3}|rs256|es256|hs256|s3|ec2|k8s|v8|http2|http3|h2|http\/\d(?:\.\d)?|ipv[46]|x509|tls\s?v?1(?:\.\d)?|tlsv1(?:_\d)?|ssl3|ssl23|oauth2?|u?int(?:2|4|8|16|32|64)|float(?:4|8|32|64)|win32|x64|es\d{4}|iso-?8859-1|iso-?8601|latin1)\b`,
  ].join("|"),
  hex: String.raw`\b0x[0-9a-f]+\b`,
  blob: String.raw`(?<![\w+/])(?=[a-z/+]*\d)[A-Za-z0-9+/]{28,}={0,2}(?![\w+/])`,
  // A number may have a unit behind it.
  number: String.raw`(?<![\w.-])-?\d+(?:[.,_]\d+)*(?:e[+-]?\d+)?(?=[a-zµ]{0,3}(?![\w-]))`,
  word: String.raw`[\w-]*\d[\w-]*`,
} as const;

const PATTERN = new RegExp(
  Object.entries(PATTERNS)
    .map(([name, source]) => `(?<${name}>${source})`)
    .join("|"),
  "gi",
);

function normalise(message: string): string {
  return message
    .toWellFormed()
    .replace(/\s+/g, " ")
    .trim()
    .replace(PATTERN, (match: string, ...rest: unknown[]) => {
      const groups = rest.at(-1) as Readonly<Record<keyof typeof PATTERNS, string | undefined>>;
      if (groups.kept !== undefined) return match;
      if (groups.quoted !== undefined) return `${match[0]}…${match.at(-1)}`;
      if (groups.number !== undefined) return isErrorCode(match, rest) ? match : "<n>";
      if (groups.word !== undefined) return isErrorCode(match, rest) ? match : normaliseWord(match);
      if (groups.blob !== undefined) return "<id>";
      const kind = Object.entries(groups).find(([, text]) => text !== undefined)?.[0];
      return `<${kind}>`;
    });
}

const BEFORE_A_STATUS = /\b(?:status(?:[ _-]?code)?|HTTP(?:\/[\d.]+)?|code|response|answered)["']?[\s:=(]{1,3}$/i;
// An import of `node:http` would load undici: 35 ms of CPU time.
const { STATUS_CODES } = process.getBuiltinModule("node:http");
const HTTP_STATUS = /^[1-5]\d\d$/;
const BEFORE_A_SQL_STATE = /\b(?:SQLSTATE|sqlcode|errcode)["']?[\s:=([]{1,3}$/i;
const SQL_STATE = /^[0-9A-Z]{5}$/;

/** Whether a match is an HTTP status or an SQL state. The text before it, or after a status, shows this. */
function isErrorCode(match: string, rest: readonly unknown[]): boolean {
  const at = rest.at(-3) as number;
  const text = rest.at(-2) as string;
  const before = text.slice(Math.max(0, at - 24), at);
  if (SQL_STATE.test(match)) return BEFORE_A_SQL_STATE.test(before);
  if (!HTTP_STATUS.test(match)) return false;
  const phrase = STATUS_CODES[match]?.toLowerCase();
  const after = text.slice(at + match.length, at + match.length + 40).toLowerCase();
  return BEFORE_A_STATUS.test(before) || (phrase !== undefined && after.trimStart().startsWith(phrase));
}

const HEX_WORD = /^(?=.*[a-f])(?=.*\d)[0-9a-f]{8,}$/i;
/** A word that changes at least this often between letters and digits is an id. Names change less often. */
const LEAST_CHANGES = 3;
const SHORTEST_ID = 8;

/** Matches `ERR_HTTP2_STREAM_ERROR`, and not a key such as `SKU_8842`. */
const CONSTANT = /^[A-Z]+\d?(?:_[A-Z]+\d?)+$/;

/** Normalises a word that contains a digit. An id becomes a placeholder. In a name, only the numbers do. */
function normaliseWord(word: string): string {
  if (CONSTANT.test(word)) return word;
  if (HEX_WORD.test(word)) return "<hex>";
  if (word.length >= SHORTEST_ID && changes(word) >= LEAST_CHANGES) return "<id>";
  return word.replace(/\d+/g, "<n>");
}

/** How often a word changes between letters and digits. */
function changes(word: string): number {
  return word.replace(/[_-]/g, "").match(/(?<=[a-z])\d|(?<=\d)[a-z]/gi)?.length ?? 0;
}
