import type { ObjectStore } from "../aws/object-store.ts";
import { type BlockRecord, parseBlockRecord } from "./manifest.ts";
import { blocksPrefix, readBlockKey } from "./object-keys.ts";
import { prefetch } from "./prefetch.ts";

const LIMITS = { reads: 16, bytes: Number.POSITIVE_INFINITY };

/** Identifies a block of a run in a map. */
export const blockText = ({ partition, block }: { readonly partition: number; readonly block: number }): string =>
  `${partition}|${block}`;

/** The revision of the latest block record of each block of a run. The keys of the map are those of `blockText`. */
export async function latestRevisions(store: ObjectStore, run: string): Promise<ReadonlyMap<string, string>> {
  const latest = new Map<string, string>();
  // Keys sort by the revision, so the last one of a block is the latest.
  for await (const page of store.list(blocksPrefix(run))) {
    for (const { key } of page) {
      const found = readBlockKey(key);
      if (found?.kind === "json") latest.set(blockText(found), key);
    }
  }
  return latest;
}

/** Reads block records, in the order of their keys. */
export async function* readBlockRecords(
  store: ObjectStore,
  keys: readonly string[],
): AsyncGenerator<BlockRecord, void, undefined> {
  const things = (async function* () {
    yield keys;
  })();
  for await (const { content } of prefetch(
    things,
    (key) => readBlockRecord(store, key),
    () => 0,
    LIMITS,
  ))
    yield content;
}

/** @throws {Error} There is no such block record. */
export async function readBlockRecord(store: ObjectStore, key: string): Promise<BlockRecord> {
  const body = await store.get(key);
  if (body === undefined) throw new Error(`the block record ${store.url}/${key} has disappeared`);
  return parseBlockRecord(Buffer.from(body).toString());
}
