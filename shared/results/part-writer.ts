import { createHash } from "node:crypto";
import type { ObjectStore } from "../aws/object-store.ts";
import type { PlaceInBlock } from "../ledger/block-successes.ts";
import type { RowBatch } from "./block-rows.ts";
import type { Columns } from "./csv-columns.ts";
import type { Part } from "./manifest.ts";

/** About how many bytes a part has. */
export const PART_BYTES = 64 * 1_024 * 1_024;

/** A part that was written, and the place of its last row. */
export interface WrittenPart {
  readonly part: Part;
  readonly last: PlaceInBlock;
}

/**
 * Writes the next part.
 *
 * @param batches Where the rows come from. The batches that the part does not take stay there.
 * @param columns Learns the fields of the results.
 * @returns `undefined` if no row is left.
 */
export async function writePart(
  store: Pick<ObjectStore, "putStream">,
  key: string,
  batches: AsyncIterator<RowBatch>,
  columns: Columns | undefined,
  partBytes: number = PART_BYTES,
): Promise<WrittenPart | undefined> {
  const first = await batches.next();
  if (first.done === true) return undefined;
  const hash = createHash("sha256");
  let { last } = first.value;
  let rows = 0;
  let bytes = 0;
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let next: IteratorResult<RowBatch> = first as IteratorYieldResult<RowBatch>; next.done !== true; ) {
      const { value: batch } = next;
      const chunk = Buffer.concat(batch.lines);
      if (columns !== undefined) for (const line of batch.lines) columns.learn(line);
      hash.update(chunk);
      last = batch.last;
      rows += batch.rows;
      bytes += chunk.length;
      yield chunk;
      if (bytes >= partBytes) return;
      next = await batches.next();
    }
  }
  await store.putStream(key, chunks());
  return { part: { key, rows, bytes, sha256: hash.digest("hex") }, last };
}
