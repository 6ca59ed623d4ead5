import { boundaryIn, estimatedSize } from "./key-boundaries.ts";
import type { KeyRange } from "./key-ranges.ts";

/** The first keys of a range, as one response lists them. */
export interface FirstKeys {
  readonly keys: readonly string[];
  /** Whether no key follows these in the whole listing. */
  readonly isLast: boolean;
}

/** How to divide a listing. */
export interface Division {
  /** All keys begin with this text. */
  readonly prefix: string;
  /** Only keys after this one. */
  readonly after?: string | undefined;
  /** The most ranges. */
  readonly parts: number;
  /** The most requests. */
  readonly requests: number;
  /** Whether a text can be the end of a range. */
  readonly isUsable: (boundary: string) => boolean;
  /** Lists the first keys after a text. */
  readonly list: (after: string | undefined) => Promise<FirstKeys>;
  /** The order of the keys. */
  readonly compare: (left: string, right: string) => number;
}

/** How many requests are sent at the same time. */
const PARALLEL_REQUESTS = 32;
/** Neighbours that are known completely are joined up to this many keys. */
const KEYS_OF_JOINED_RANGES = 5_000;

/** A range of keys, and what responses said about it. */
interface Known {
  readonly range: KeyRange<string>;
  /** The first and the last of the keys that a response listed. Absent: the range has none. */
  readonly ends: { readonly first: string; readonly last: string } | undefined;
  /** How many keys there are from the first to the last one of them. */
  readonly count: number;
  /** Whether these are all keys of the range. */
  readonly isAll: boolean;
  /** How many keys the range has. If these are not all keys, it is an estimate. */
  readonly size: number;
  /** No key of the range follows this text. Absent: unknown. */
  readonly end: string | undefined;
  /** How often in a row no key followed a boundary. */
  readonly misses: number;
  /** How often ranges were divided until this one remained. */
  readonly depth: number;
}

/**
 * Divides a listing into ranges of keys, from samples of it. A sample is one response: it says whether its range ends
 * within the response, and if not, how dense the keys are where the range begins.
 *
 * In rounds, the ranges that one response does not cover are divided. One half of a round are the ranges that are probably
 * the largest. The other half are those that were divided least, because an estimate can be wrong. So a prefix with nearly
 * all keys is divided again and again, while the ranges beside it are soon covered, however the keys are distributed.
 *
 * Every key that can exist is in exactly one range, whatever the samples said.
 */
export async function sampledRanges(division: Division): Promise<readonly KeyRange<string>[]> {
  const { list, after, parts } = division;
  let requests = 1;
  let known: readonly Known[] = [sampleOf(after === undefined ? {} : { after }, await list(after), 0, division)];
  for (;;) {
    const ranges = joined(known);
    const most = Math.min(PARALLEL_REQUESTS, division.requests - requests, parts - ranges.length);
    const boundaries = choose(known, most, division);
    if (boundaries.size === 0) return ranges;
    requests += boundaries.size;
    const divided = await Promise.all(
      known.map(async (each) => {
        const boundary = boundaries.get(each);
        return boundary === undefined ? [each] : await divide(each, boundary, division);
      }),
    );
    known = divided.flat();
  }
}

/** Which ranges to divide, and where. */
function choose(known: readonly Known[], most: number, division: Division): ReadonlyMap<Known, string> {
  const boundaries = new Map<Known, string>();
  if (most <= 0) return boundaries;
  const open = known.filter(({ isAll }) => !isAll);
  const take = (ranges: readonly Known[], upToCount: number) => {
    for (const range of ranges) {
      if (boundaries.size >= upToCount) return;
      const boundary = boundaries.has(range) ? undefined : boundaryOf(range, division);
      if (boundary !== undefined) boundaries.set(range, boundary);
    }
  };
  take(
    open.toSorted((left, right) => right.size - left.size),
    Math.ceil(most / 2),
  );
  take(
    open.toSorted((left, right) => left.depth - right.depth),
    most,
  );
  return boundaries;
}

function boundaryOf({ ends, end, misses }: Known, { prefix, isUsable }: Division): string | undefined {
  if (ends === undefined) return undefined;
  const boundary = boundaryIn({ ...ends, upTo: end, prefix }, misses % 2 === 0 ? "wide" : "deep");
  return boundary !== undefined && isUsable(boundary) ? boundary : undefined;
}

/** Divides a range at its boundary. If no key follows the boundary, the range stays whole, and is divided before it next. */
async function divide(known: Known, boundary: string, division: Division): Promise<readonly Known[]> {
  const { range, end, misses } = known;
  const depth = known.depth + 1;
  const after: KeyRange<string> = { after: boundary, ...(range.upTo !== undefined && { upTo: range.upTo }) };
  const right = sampleOf(after, await division.list(boundary), depth, division);
  if (right.ends === undefined && right.isAll) {
    return [estimated({ ...known, end: boundary, misses: misses + 1 }, division)];
  }
  const left = { ...known, range: { ...range, upTo: boundary }, end: boundary, misses: 0, depth };
  return [estimated(left, division), estimated({ ...right, end }, division)];
}

function sampleOf(range: KeyRange<string>, response: FirstKeys, depth: number, division: Division): Known {
  const { upTo } = range;
  const keys = upTo === undefined ? response.keys : response.keys.filter((key) => division.compare(key, upTo) <= 0);
  const isAll = response.isLast || keys.length < response.keys.length;
  const [first] = keys;
  const last = keys.at(-1);
  const ends = first === undefined || last === undefined ? undefined : { first, last };
  const count = keys.length;
  return estimated({ range, ends, count, isAll, size: count, end: upTo, misses: 0, depth }, division);
}

function estimated(known: Known, { prefix }: Division): Known {
  const { ends, end, count, isAll } = known;
  if (isAll || ends === undefined) return { ...known, size: count };
  return { ...known, size: count * estimatedSize({ ...ends, upTo: end, prefix }) };
}

/** The ranges, of which neighbours with few keys are joined. */
function joined(known: readonly Known[]): readonly KeyRange<string>[] {
  const groups: { range: KeyRange<string>; size: number }[] = [];
  for (const { range, isAll, count } of known) {
    const size = isAll ? count : Number.POSITIVE_INFINITY;
    const before = groups.at(-1);
    if (before === undefined || before.size + size > KEYS_OF_JOINED_RANGES) {
      groups.push({ range, size });
      continue;
    }
    const { after } = before.range;
    before.range = { ...(after !== undefined && { after }), ...(range.upTo !== undefined && { upTo: range.upTo }) };
    before.size += size;
  }
  return groups.map(({ range }) => range);
}
