/** Some keys of a range, from its beginning, and where the range ends. Keys are in the order of their UTF-8 bytes. */
export interface KnownKeys {
  /** The first key of the range. */
  readonly first: string;
  /** The last of the keys that are known. More keys follow it in the range. */
  readonly last: string;
  /** The end of the range, inclusive. Absent: open. */
  readonly upTo?: string | undefined;
  /** All keys begin with this text. */
  readonly prefix: string;
}

const LAST_CODE_POINT = 0x10ffff;
/** Nearly all keys consist of these characters. Each is one after the last one of its kind. */
const ENDS_OF_KINDS = [0x3a, 0x5b, 0x7b, 0x7f] as const;
/** Smaller than any printable character: it stands behind the end of a key. */
const BEFORE_SPACE = 0x1f;
/** UTF-16 surrogates are no characters. */
const SURROGATES = { first: 0xd800, last: 0xdfff } as const;

/**
 * Chooses a text between the last known key and the end of a range, at which the range is divided. Such a text need not be
 * a key. `undefined`: the range cannot be divided further.
 *
 * The text is the beginning of the last key with its last character raised.
 *
 * - `"wide"`: the beginning is as short as possible, and its last character is halfway to the end of the range, or to the end
 *   of the digits or letters.
 * - `"deep"`: the length of the beginning is halfway to the place where the known keys differ. So a long beginning that all
 *   keys share costs a few steps only.
 */
export function boundaryIn({ first, last, upTo, prefix }: KnownKeys, how: "wide" | "deep"): string | undefined {
  const key = Array.from(last);
  const end = upTo === undefined ? undefined : Array.from(upTo);
  const shared = end === undefined ? -1 : sharedLength(key, end);
  const least = Math.max(shared, Array.from(prefix).length);
  const differs = sharedLength(Array.from(first), key);
  const isDeep = how === "deep" && differs > least + 1;
  for (let depth = isDeep ? Math.floor((least + differs) / 2) : least; depth <= key.length; depth++) {
    const lower = key[depth]?.codePointAt(0) ?? BEFORE_SPACE;
    const bound = depth === shared ? end?.[depth]?.codePointAt(0) : undefined;
    const kind = ENDS_OF_KINDS.find((code) => code > lower + 1) ?? LAST_CODE_POINT;
    const upper = Math.min(bound ?? LAST_CODE_POINT, kind);
    const raised = isDeep ? lower + 1 : Math.floor((lower + upper) / 2);
    const code = raised >= SURROGATES.first && raised <= SURROGATES.last ? SURROGATES.last + 1 : raised;
    if (code > lower && code < upper) return key.slice(0, depth).join("") + String.fromCodePoint(code);
  }
  return undefined;
}

/** How many characters two texts have in common at their beginnings. */
function sharedLength(left: readonly string[], right: readonly string[]): number {
  let length = 0;
  while (length < left.length && left[length] === right[length]) length++;
  return length;
}

/**
 * How many times as many keys as are known a range has, as an estimate: from how far the known keys reach into the range.
 * At places where the known keys are equal, it is unknown how many other characters there are, so the estimate assumes
 * digits next to digits and few letters next to letters.
 */
export function estimatedSize({ first, last, upTo, prefix }: KnownKeys): number {
  const key = Array.from(last);
  const end = upTo === undefined ? undefined : Array.from(upTo);
  const shared = end === undefined ? -1 : sharedLength(key, end);
  const start = Array.from(first);
  const differs = sharedLength(start, key);
  let times = 1;
  for (let depth = Math.max(shared, Array.from(prefix).length); depth <= differs; depth++) {
    const from = start[depth]?.codePointAt(0) ?? BEFORE_SPACE;
    const to = key[depth]?.codePointAt(0) ?? BEFORE_SPACE;
    const bound =
      depth === shared ? (end?.[depth]?.codePointAt(0) ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
    const room = Math.min(bound - from, siblings(from));
    times *= Math.max(1, room / (to - from + 1));
  }
  return Math.min(times, 1e9);
}

/** How many characters from this one on probably stand at the same place of other keys. */
function siblings(code: number): number {
  const character = String.fromCodePoint(code);
  if (/\d/.test(character)) return 0x3a - code;
  return /[a-zA-Z]/.test(character) ? 4 : 1;
}
