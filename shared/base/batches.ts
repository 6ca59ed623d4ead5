/**
 * Divides a list into batches, in the order of the list.
 *
 * @param size The most entries of a batch: 1 or more. Only the last batch can have fewer. An empty list has no batches.
 * @example [...batchesOf(["a", "b", "c"], 2)] // [["a", "b"], ["c"]]
 */
export function* batchesOf<Entry>(list: readonly Entry[], size: number): Generator<readonly Entry[], void, undefined> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size);
}
