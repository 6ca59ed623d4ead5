import fc from "fast-check";
import { expect, test } from "vitest";
import {
  blockRecordKey,
  manifestKey,
  pagesOfRawKey,
  partKey,
  rawKey,
  runPrefix,
  versionOfManifestKey,
} from "../../../shared/results/object-keys.ts";

const address = { run: "20261128-0815", partition: 0, block: 12 };

test("keys have the layout of the documentation", () => {
  expect(rawKey(address, { first: 7, last: 31 }, "x1")).toBe("20261128-0815/raw/00000/0000012/007-031-x1.jsonl");
  expect(blockRecordKey(address, 1)).toBe("20261128-0815/blocks/00000/0000012-00001.json");
  expect(partKey(address, 0, 1, "x1")).toBe("20261128-0815/jsonl/part-00000-0000012-00000-00001-x1.jsonl");
  expect(manifestKey("20261128-0815", 3)).toBe("20261128-0815/manifest-3.json");
});

test("the pages and the version are read back from a key", () => {
  expect(pagesOfRawKey(rawKey(address, { first: 7, last: 999 }, "x-1"))).toEqual({ first: 7, last: 999 });
  expect(pagesOfRawKey("run/raw/00000/0000012/draft")).toBeUndefined();
  expect(versionOfManifestKey(manifestKey("run", 12))).toBe(12);
  expect(versionOfManifestKey("run/manifest-12.json.tmp")).toBeUndefined();
});

test("no id of a run leads out of its prefix or into that of another run", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (a, b) => {
      fc.pre(a.isWellFormed() && b.isWellFormed());
      expect(runPrefix(a)).toMatch(/^[A-Za-z0-9_%-]+\/$/);
      expect(runPrefix(a) === runPrefix(b)).toBe(a === b);
    }),
  );
});
