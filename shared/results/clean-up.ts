import type { ObjectStore } from "../aws/object-store.ts";
import { batchesOf } from "../base/batches.ts";
import { blockText, readBlockRecord } from "./block-records.ts";
import type { Manifest } from "./manifest.ts";
import {
  blockRecordKey,
  blocksPrefix,
  csvPrefix,
  partsPrefix,
  readBlockKey,
  readPartKey,
  versionOfCsvKey,
} from "./object-keys.ts";

/** How many objects one call deletes. */
const KEYS_PER_DELETION = 1_000;

/**
 * Deletes what a manifest replaces: raw objects, earlier revisions of parts, and objects of producers that were interrupted.
 * It deletes nothing that a later manifest can name.
 *
 * @returns false if the time is over and objects may be left.
 */
export async function cleanUp(
  store: ObjectStore,
  run: string,
  manifest: Manifest,
  isOver: () => boolean,
): Promise<boolean> {
  const revisions = new Map(manifest.blocks.map((block) => [blockText(block), block.revision]));
  // The list of a revision sorts before its record, so the record is still there when its list is read.
  for await (const page of store.list(blocksPrefix(run))) {
    for (const { key } of page) {
      const found = readBlockKey(key);
      const latest = found && revisions.get(blockText(found));
      if (found === undefined || latest === undefined || found.revision > latest) continue;
      if (found.kind === "json" && found.revision === latest) continue;
      // The list of the latest revision has the raw objects that earlier lists have and that still exist. An earlier list
      // can belong to a producer whose environment was frozen: the manifest does not have the rows of its raw objects.
      if (found.kind === "raw" && found.revision === latest) await deleteReplaced(store, run, key, found);
      await store.delete([key]);
      if (isOver()) return false;
    }
  }
  const named = new Set(manifest.blocks.flatMap(({ parts }) => parts.flatMap(({ key, csv }) => [key, csv?.key])));
  await deleteUnnamed(store, partsPrefix(run), (key) => {
    const found = readPartKey(key);
    const latest = found && revisions.get(blockText(found));
    return latest !== undefined && found !== undefined && found.revision <= latest && !named.has(key);
  });
  await deleteUnnamed(store, csvPrefix(run), (key) => {
    const version = versionOfCsvKey(key);
    return version !== undefined && version <= manifest.version && !named.has(key);
  });
  return true;
}

/** Deletes the raw objects in a list, if the block record names the list. */
async function deleteReplaced(
  store: ObjectStore,
  run: string,
  key: string,
  { partition, block, revision }: { readonly partition: number; readonly block: number; readonly revision: number },
): Promise<void> {
  const record = await readBlockRecord(store, blockRecordKey({ run, partition, block }, revision));
  // Another producer's list, whose block record was second.
  if (record.replaced !== key) return;
  const body = await store.get(key);
  const keys = Buffer.from(body ?? "")
    .toString()
    .split("\n")
    .filter((line) => line !== "");
  for (const some of batchesOf(keys, KEYS_PER_DELETION)) await store.delete(some);
}

async function deleteUnnamed(store: ObjectStore, prefix: string, isGarbage: (key: string) => boolean): Promise<void> {
  for await (const page of store.list(prefix)) {
    const garbage = page.map(({ key }) => key).filter(isGarbage);
    if (garbage.length > 0) await store.delete(garbage);
  }
}
