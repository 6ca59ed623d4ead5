import { createHash } from "node:crypto";
import type { Row } from "./evidence.ts";
import type { Line } from "./journal.ts";
import { RUN } from "./plan.ts";

/** The objects of a store, as texts by their keys. */
export type Objects = ReadonlyMap<string, string>;

interface ManifestFile {
  readonly rows: number;
  readonly missing: number;
  readonly blocks: readonly {
    readonly parts: readonly { readonly key: string; readonly rows: number; readonly sha256: string }[];
  }[];
}

/**
 * Describes everything that is wrong with the result set of a run that has ended: it must have exactly one row for each item
 * that is done, in the order of the source, with a result that a task has returned for the item. The checker shares no code
 * with what writes or reads results.
 */
export function checkResults(
  run: Row,
  done: readonly string[],
  lines: readonly Line[],
  objects: Objects,
  violations: string[],
): void {
  if (run.results === undefined) {
    violations.push("the run keeps no results");
    return;
  }
  const text = objects.get(`${RUN}/manifest-${run.manifest}.json`);
  if (text === undefined) {
    violations.push(`the run has ended, and its manifest ${run.manifest} does not exist`);
    return;
  }
  const manifest = JSON.parse(text) as ManifestFile;
  const rows: { readonly id: string; readonly result: unknown }[] = [];
  for (const { key, rows: count, sha256 } of manifest.blocks.flatMap(({ parts }) => parts)) {
    const part = objects.get(key);
    if (part === undefined) {
      violations.push(`the manifest names ${key}, which does not exist`);
      continue;
    }
    if (createHash("sha256").update(part).digest("hex") !== sha256) violations.push(`${key} has another checksum`);
    const found = part.split("\n").filter((line) => line !== "");
    if (found.length !== count) violations.push(`${key} has ${found.length} rows, not ${count}`);
    rows.push(...found.map((line) => JSON.parse(line)));
  }
  if (manifest.rows !== rows.length)
    violations.push(`the manifest tells ${manifest.rows} rows, there are ${rows.length}`);
  if (manifest.missing !== 0) violations.push(`the manifest misses ${manifest.missing} results`);
  const ids = rows.map(({ id }) => id);
  const missing = done.filter((id) => !ids.includes(id));
  const surplus = ids.filter((id) => !done.includes(id));
  if (missing.length > 0) violations.push(`no result of items that are done: ${missing.join(", ")}`);
  if (surplus.length > 0) violations.push(`results of items that are not done: ${surplus.join(", ")}`);
  if (new Set(ids).size !== ids.length) violations.push("an item has several results");
  if (missing.length + surplus.length === 0 && ids.join() !== done.join()) {
    violations.push("the results are not in the order of the source");
  }
  const returned = new Map<string, Set<unknown>>();
  for (const line of lines) {
    if (line.type !== "start") continue;
    const keys = returned.get(line.id) ?? new Set();
    returned.set(line.id, keys.add(line.key));
  }
  for (const { id, result } of rows) {
    if (returned.get(id)?.has(result) !== true) violations.push(`no task has returned ${result} for ${id}`);
  }
}
