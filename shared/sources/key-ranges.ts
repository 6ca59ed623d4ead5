/**
 * A part of an ordered source: the keys after `after`, up to and including `upTo`. An absent end is open. Every key is in
 * exactly one of the ranges of a list.
 */
export interface KeyRange<Key> {
  readonly after?: Key;
  readonly upTo?: Key;
}

/**
 * Divides the keys of a source at boundaries. Every key that can exist is in exactly one range, whichever boundaries are
 * given: they decide only how evenly the ranges divide the source.
 *
 * @param boundaries Keys in any order. Equal keys count once.
 * @param compare The order in which the source lists its keys.
 */
export function keyRanges<Key>(
  boundaries: readonly Key[],
  compare: (left: Key, right: Key) => number,
): readonly KeyRange<Key>[] {
  const sorted = boundaries.toSorted(compare);
  const distinct = sorted.filter((key, position) => position === 0 || compare(sorted[position - 1] as Key, key) !== 0);
  const starts = [undefined, ...distinct];
  return starts.map((after, position) => {
    const upTo = distinct[position];
    return { ...(after !== undefined && { after }), ...(upTo !== undefined && { upTo }) };
  });
}

/**
 * Chooses boundaries that divide a sample of a source's keys evenly.
 *
 * @param sample Keys in the order of the source.
 * @param parts How many ranges the boundaries should make: at least 1. With fewer keys than parts, there are fewer ranges.
 */
export function boundariesOf<Key>(sample: readonly Key[], parts: number): readonly Key[] {
  const wanted = Math.min(parts - 1, sample.length);
  return Array.from({ length: wanted }, (_, index) => {
    const position = Math.floor(((index + 1) * sample.length) / (wanted + 1));
    return sample[Math.min(position, sample.length - 1)] as Key;
  });
}

/** The order of S3's keys: that of their UTF-8 bytes. JavaScript compares UTF-16 units, which is another order. */
export const compareUtf8 = (left: string, right: string): number =>
  Buffer.compare(Buffer.from(left), Buffer.from(right));
