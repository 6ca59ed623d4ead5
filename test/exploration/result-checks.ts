import assert from "node:assert/strict";
import type { Row } from "../../shared/aws/table.ts";
import { placesOf } from "./checks.ts";
import { RUN, type Scope } from "./scope.ts";

// These checks read the rows and the objects themselves. They share no code with the results' own readers.

interface RawRow {
  readonly page: number;
  readonly epoch: number;
  readonly index: number;
  readonly generation: number;
}

/** The ids of the items in the run's latest manifest, and the places of all raw rows. */
function resultsIn(rows: ReadonlyMap<string, Row>) {
  const objects = rows.get("objects|objects") ?? {};
  const lines = (key: string): readonly unknown[] =>
    String(objects[key])
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  const raw = Object.keys(objects)
    .filter((key) => key.startsWith(`${RUN}/raw/`))
    .flatMap((key) => lines(key) as readonly RawRow[]);
  const version = Number(rows.get(`run#${RUN}|run`)?.manifest ?? 0);
  if (version === 0) return { version, raw, ids: [] };
  const manifest = objects[`${RUN}/manifest-${version}.json`];
  assert.ok(manifest !== undefined, `the run names manifest ${version}, which does not exist`);
  const { blocks } = JSON.parse(String(manifest)) as { blocks: { parts: { key: string }[] }[] };
  const ids = blocks.flatMap(({ parts }) =>
    parts.flatMap(({ key }) => {
      assert.ok(objects[key] !== undefined, `the manifest names ${key}, which does not exist`);
      return (lines(key) as readonly { id: string }[]).map(({ id }) => id);
    }),
  );
  return { version, raw, ids };
}

/** Checks that each item that is done has a row that a reader finds, and that no other item is in the manifest. */
export function checkResults(rows: ReadonlyMap<string, Row>, scope: Scope): void {
  const { ids, raw } = resultsIn(rows);
  assert.equal(new Set(ids).size, ids.length, "an item is in the manifest twice");
  for (const { id, places } of placesOf(rows, scope)) {
    const isIn = ids.includes(`${RUN}/${id}`);
    if (!places.includes("done")) {
      assert.ok(!isIn, `item ${id} is not done, and has a row in the manifest`);
      continue;
    }
    const hasRow = isIn || raw.some(({ page, index, epoch }) => `${page}/${index}` === id && epoch === 1);
    assert.ok(hasRow, `item ${id} is done, and has no row`);
  }
}

/** Checks a state in which nothing is left to do: the manifest has exactly the items that are done, in their order. */
export function checkFinalResults(rows: ReadonlyMap<string, Row>, scope: Scope): void {
  const { version, ids } = resultsIn(rows);
  assert.ok(version > 0, "nothing is left to do, and the run has no manifest");
  const done = placesOf(rows, scope).filter(({ places }) => places.includes("done"));
  assert.deepEqual(
    ids,
    done.map(({ id }) => `${RUN}/${id}`),
    "the manifest has other items than those that are done",
  );
}
