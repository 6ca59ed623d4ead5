import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { pageKey } from "../../../shared/messages/item-address.ts";
import { DEFAULT_LIMITS } from "../../../shared/results/block-rows.ts";
import { parseManifest } from "../../../shared/results/manifest.ts";
import { nameOf, RESULTS_RUN, ResultsWorld } from "../../helpers/results-world.ts";

const entry = (page: number, index: number, generation = 0) => ({ page, index, generation });
const row = (page: number, index: number, generation = 0) => ({
  id: `${RESULTS_RUN}/${page}/${index}`,
  result: nameOf(entry(page, index, generation)),
});

let world: ResultsWorld;

beforeEach(async () => {
  world = await ResultsWorld.of([2, 2, 1]);
});

const ALL = [row(0, 0), row(0, 1), row(1, 0), row(1, 1), row(2, 0)];

async function succeedAll() {
  await world.succeed(entry(2, 0), entry(0, 1));
  await world.succeed(entry(1, 1));
  await world.succeed(entry(1, 0), entry(0, 0));
}

const manifest = (version = 1) => parseManifest(world.objects.text(`${RESULTS_RUN}/manifest-${version}.json`));

describe("a run that has ended", () => {
  test("becomes parts in the order of the source and a manifest, and its raw objects are deleted", async () => {
    await succeedAll();
    expect(await world.compact()).toEqual({ tag: "done", compactedBlocks: 1 });
    expect(world.objects.keys().map((key) => key.replace(/-\d{6}\./, "-ID."))).toEqual([
      "run-1/blocks/00000/0000000-00001.json",
      "run-1/jsonl/part-00000-0000000-00000-00001-ID.jsonl",
      "run-1/manifest-1.json",
    ]);
    expect(world.objects.lines("run-1/jsonl/")).toEqual(ALL);
    const [part] = manifest().blocks[0]?.parts ?? [];
    const body = world.objects.objects.get(part?.key ?? "") ?? "";
    expect(manifest()).toMatchObject({ run: RESULTS_RUN, status: "completed", version: 1, rows: 5, missing: 0 });
    expect(part).toMatchObject({
      rows: 5,
      bytes: body.length,
      sha256: createHash("sha256").update(body).digest("hex"),
    });
    expect((await world.run()).results).toMatchObject({ manifest: 1 });
    expect(await world.read()).toEqual(ALL);
  });

  test("is compacted once, however often the message comes", async () => {
    await succeedAll();
    await world.compact();
    const before = new Map(world.objects.objects);
    await world.compact();
    expect(world.objects.objects).toEqual(before);
    expect(await world.isOutdated()).toBe(false);
  });

  test("without a single item has an empty result set", async () => {
    world = await ResultsWorld.of([]);
    await world.compact();
    expect(manifest()).toMatchObject({ rows: 0, blocks: [] });
    expect(await world.read()).toEqual([]);
  });

  test("is read before its compaction, too", async () => {
    await succeedAll();
    expect(await world.read()).toEqual(ALL);
  });

  test("is read from the manifest alone when the ledger's rows have expired", async () => {
    await succeedAll();
    await world.compact();
    world.store.clear();
    expect(await world.read()).toEqual(ALL);
  });
});

describe("what counts", () => {
  test("of several rows of an item, the one with the lowest key, before and after the compaction", async () => {
    await succeedAll();
    await world.put([{ ...entry(1, 0), result: "later" }], "zzz");
    await world.put([{ ...entry(0, 0), result: "first" }], "000");
    const expected = [{ ...row(0, 0), result: "first" }, ...ALL.slice(1)];
    expect(await world.read()).toEqual(expected);
    await world.compact();
    expect(await world.read()).toEqual(expected);
    expect(world.objects.keys("run-1/raw/")).toEqual([]);
  });

  test("no row of an item that is not done, of an item that died first, or of an earlier epoch", async () => {
    await world.put([
      { ...entry(0, 0), result: "not recorded" },
      { ...entry(0, 1), result: "not recorded" },
    ]);
    await world.die(entry(0, 1));
    await world.record(entry(0, 1));
    await world.put([{ ...entry(1, 0), result: "of another content", epoch: 0 }], "000");
    await world.succeed(entry(1, 0), entry(1, 1), entry(2, 0));
    expect(await world.read()).toEqual([row(1, 0), row(1, 1), row(2, 0)]);
    await world.succeed(entry(0, 0));
    await world.compact();
    expect(await world.read()).toEqual([{ ...row(0, 0), result: "not recorded" }, row(1, 0), row(1, 1), row(2, 0)]);
  });

  test("a page row that is missing is an error, never a shorter result", async () => {
    await succeedAll();
    world.store.delete(pageKey({ run: RESULTS_RUN, partition: 0, page: 1 }));
    await expect(world.read()).rejects.toMatchObject({ code: "RESULTS_INCOMPLETE" });
    await expect(world.compact()).rejects.toMatchObject({ code: "RESULTS_INCOMPLETE" });
  });

  test("a row that somebody has deleted is counted, and is an error after all others were read", async () => {
    await succeedAll();
    const [lost] = world.objects.keys("run-1/raw/");
    await world.objects.delete([lost ?? ""]);
    await expect(world.read()).rejects.toThrow("2 items of run run-1 succeeded, and their results do not exist");
    await world.compact();
    expect(manifest()).toMatchObject({ rows: 3, missing: 2 });
    await expect(world.read()).rejects.toThrow("2 items of run run-1 succeeded, and their results do not exist");
  });

  test("a damaged part is an error", async () => {
    await succeedAll();
    await world.compact();
    const [part = ""] = world.objects.keys("run-1/jsonl/");
    await world.objects.put(part, Buffer.from(world.objects.text(part).replace("generation", "Generation")));
    await expect(world.read()).rejects.toMatchObject({ code: "RESULTS_DAMAGED" });
  });
});

describe("a redriven item", () => {
  beforeEach(async () => {
    await world.die(entry(0, 1));
    await world.succeed(entry(0, 0), entry(1, 0), entry(1, 1), entry(2, 0));
    await world.compact();
    await world.redrive(entry(0, 1, 1));
  });

  test("that succeeds joins the set at once, and the next manifest", async () => {
    expect(await world.read()).toHaveLength(4);
    await world.succeed(entry(0, 1, 1));
    const expected = [row(0, 0), row(0, 1, 1), row(1, 0), row(1, 1), row(2, 0)];
    expect(await world.read()).toEqual(expected);
    expect(world.announced.at(-1)).toMatchObject({ compaction: 1 });
    expect(await world.isOutdated()).toBe(true);

    await world.compact();
    expect(manifest(2)).toMatchObject({ version: 2, rows: 5, blocks: [{ revision: 2 }] });
    expect(await world.read()).toEqual(expected);
    expect(world.objects.keys("run-1/jsonl/")).toHaveLength(1);
    expect(world.objects.keys("run-1/raw/")).toEqual([]);
    expect(await world.isOutdated()).toBe(false);
  });
});

describe("a raw object is deleted only if none of its rows can count later", () => {
  beforeEach(async () => {
    await world.die(entry(0, 1));
    await world.die(entry(1, 0));
    await world.succeed(entry(0, 0), entry(1, 1), entry(2, 0));
    await world.compact();
    await world.redrive(entry(0, 1, 1));
    await world.redrive(entry(1, 0, 1));
  });

  test("a compaction between the write and the record of a redriven item keeps its row", async () => {
    await world.put([{ ...entry(0, 1, 1), result: "late" }]);
    await world.succeed(entry(1, 0, 1));
    await world.compact();
    expect(manifest(2)).toMatchObject({ rows: 4 });
    expect(world.objects.lines("run-1/raw/")).toMatchObject([{ page: 0, index: 1, result: "late" }]);
    await world.record(entry(0, 1, 1));
    expect(await world.read()).toContainEqual({ ...row(0, 1), result: "late" });
    await world.compact();
    expect(manifest(3)).toMatchObject({ rows: 5 });
    expect(await world.read()).toContainEqual({ ...row(0, 1), result: "late" });
    expect(world.objects.keys("run-1/raw/")).toEqual([]);
  });

  test("a compaction in several slices keeps it, too", async () => {
    world.partBytes = 1;
    world.limits = { ...DEFAULT_LIMITS, batchBytes: 1 };
    await world.put([{ ...entry(0, 1, 1), result: "late" }]);
    await world.succeed(entry(1, 0, 1));
    while ((await world.compact(() => true)).tag === "time");
    await world.record(entry(0, 1, 1));
    expect(await world.read()).toContainEqual({ ...row(0, 1), result: "late" });
  });

  test("a list that no block record names deletes nothing, because its producer was second", async () => {
    await world.put([{ ...entry(0, 1, 1), result: "late" }]);
    const [late = ""] = world.objects.keys("run-1/raw/");
    await world.objects.put("run-1/blocks/00000/0000000-00002-second.raw", Buffer.from(late));
    await world.succeed(entry(1, 0, 1));
    await world.compact();
    expect(world.objects.keys("run-1/blocks/")).toEqual(["run-1/blocks/00000/0000000-00002.json"]);
    expect(world.objects.keys("run-1/raw/")).toEqual([late]);
  });
});

describe("slices and crashes", () => {
  test("a large block goes on after its last part, and the parts have the given size", async () => {
    await succeedAll();
    world.partBytes = 1;
    world.limits = { ...DEFAULT_LIMITS, batchBytes: 1 };
    const ends: string[] = [];
    do ends.push((await world.compact(() => true)).tag);
    while (ends.at(-1) === "time" && ends.length < 20);
    expect(ends.at(-1)).toBe("done");
    expect(ends.length).toBeGreaterThan(5);
    expect(world.objects.keys("run-1/jsonl/")).toHaveLength(5);
    expect(await world.read()).toEqual(ALL);
    expect(world.objects.keys("run-1/raw/")).toEqual([]);
    expect(world.objects.keys("run-1/blocks/")).toEqual(["run-1/blocks/00000/0000000-00001.json"]);
  });

  test("little memory changes nothing: rows beyond it are read again", async () => {
    await succeedAll();
    world.limits = { heldBytes: 1, reads: 1, readBytes: 1, batchBytes: 1 };
    expect(await world.read()).toEqual(ALL);
    expect(world.objects.calls.some(({ method }) => method === "getRange")).toBe(true);
  });

  test.for(["refused", "answer lost"] as const)("a call that is %s at any place only delays the end", async (fault) => {
    for (let failing = 0; ; failing++) {
      world = await ResultsWorld.of([2, 2, 1], { format: "csv", include: [] });
      await succeedAll();
      let calls = 0;
      world.failCalls((call) => {
        calls = call;
        return call === failing ? fault : undefined;
      });
      const end = await world.compact().catch(() => "crashed");
      world.failCalls(() => undefined);
      expect(await world.read()).toEqual(ALL);
      await world.compact();
      expect(await world.read()).toEqual(ALL);
      expect(world.objects.keys("run-1/raw/")).toEqual([]);
      expect(world.objects.keys("run-1/jsonl/")).toHaveLength(1);
      expect(world.objects.keys("run-1/csv/")).toHaveLength(1);
      expect(manifest()).toMatchObject({ rows: 5 });
      if (end !== "crashed" && calls < failing) break;
    }
  });

  test("a write that the store's client repeats, because the answer was lost, is the producer's own", async () => {
    await succeedAll();
    const putIfAbsent = world.objects.putIfAbsent.bind(world.objects);
    world.objects.putIfAbsent = async (key, body) => {
      await putIfAbsent(key, body);
      return await putIfAbsent(key, body);
    };
    await world.compact();
    expect(manifest()).toMatchObject({ version: 1, rows: 5 });
    expect(await world.read()).toEqual(ALL);
  });

  test("two producers at once make one manifest, whose parts exist", async () => {
    await succeedAll();
    await Promise.all([world.compact(), world.compact()]);
    expect(await world.read()).toEqual(ALL);
    await world.compact();
    expect(world.objects.keys("run-1/jsonl/")).toHaveLength(1);
    expect(world.objects.keys("run-1/raw/")).toEqual([]);
  });
});

test("a producer that stood still during two compactions deletes no row that only its own record has", async () => {
  await world.die(entry(0, 1));
  await world.die(entry(1, 0));
  await world.succeed(entry(0, 0), entry(1, 1), entry(2, 0));
  const read = vi.spyOn(world.store, "getMany");
  read.mockImplementationOnce(async (keys) => {
    // The producer has found no block record, and has not read the page rows.
    await world.compact();
    await world.redrive(entry(0, 1, 1));
    await world.redrive(entry(1, 0, 1));
    await world.succeed(entry(0, 1, 1));
    await world.compact();
    await world.succeed(entry(1, 0, 1));
    return await world.store.getMany(keys);
  });
  await world.compact();
  expect(await world.read()).toHaveLength(5);
  expect(world.objects.keys("run-1/raw/")).toHaveLength(1);
  await world.compact();
  expect(await world.read()).toHaveLength(5);
  expect(world.objects.keys("run-1/raw/")).toEqual([]);
});

test("a producer that stood still before its deletions deletes nothing that a later manifest names", async () => {
  world = await ResultsWorld.of([2, 2, 1], { format: "csv", include: [] });
  await world.die(entry(0, 1));
  await world.succeed(entry(0, 0), entry(1, 0), entry(1, 1), entry(2, 0));
  let isFirst = true;
  let between: readonly string[] = [];
  world.objects.onCall = async (method, key) => {
    const isDeleting = method === "list" && key === "run-1/blocks/" && (await world.run()).results.manifest === 1;
    if (!isDeleting || !isFirst) return undefined;
    isFirst = false;
    await world.redrive(entry(0, 1, 1));
    await world.succeed(entry(0, 1, 1));
    await world.compact();
    between = world.objects.keys();
    return undefined;
  };
  await world.compact();
  expect(between).toContain("run-1/manifest-2.json");
  expect(world.objects.keys()).toEqual(between);
  expect(await world.read()).toHaveLength(5);
});

test("a redrive that brings a new column writes all CSV parts anew, with one header", async () => {
  world = await ResultsWorld.of(
    Array.from({ length: 1_001 }, () => 1),
    { format: "csv", include: [] },
  );
  await world.die(entry(1_000, 0));
  await world.succeed(...Array.from({ length: 1_000 }, (_, page) => entry(page, 0)));
  await world.compact();
  expect(manifest().header).toEqual(["id", "result"]);
  await world.redrive(entry(1_000, 0, 1));
  await world.put([{ ...entry(1_000, 0, 1), result: { noon: "12:01" } }]);
  await world.record(entry(1_000, 0, 1));
  await world.compact();
  expect(manifest(2).header).toEqual(["id", "result", "noon"]);
  const parts = manifest(2).blocks.flatMap((block) => block.parts.map(({ csv }) => world.objects.text(csv?.key ?? "")));
  expect(parts.map((text) => text.slice(0, text.indexOf("\n")))).toEqual(["id,result,noon", "id,result,noon"]);
});

test("a reader whose objects are replaced continues after its latest row", async () => {
  world = await ResultsWorld.of([2, 2, 2]);
  const redriven = [entry(0, 1, 1), entry(1, 0, 1), entry(2, 0, 1), entry(2, 1, 1)] as const;
  for (const each of redriven) await world.die({ ...each, generation: 0 });
  await world.succeed(entry(0, 0), entry(1, 1));
  await world.compact();
  for (const each of redriven) await world.redrive(each);
  for (const each of redriven.slice(0, 3)) await world.succeed(each);
  world.limits = { ...DEFAULT_LIMITS, reads: 1, batchBytes: 1 };
  let isFirst = true;
  world.objects.onCall = async (method, key) => {
    if (method !== "get" || !key.includes("/002-002-") || !isFirst) return undefined;
    isFirst = false;
    // The rows of page 0 were read. The last item succeeds after the compaction, so raw objects are read again.
    await world.compact();
    await world.succeed(redriven[3]);
    return undefined;
  };
  const expected = [row(0, 0), row(0, 1, 1), row(1, 0, 1), row(1, 1), row(2, 0, 1), row(2, 1, 1)];
  expect(await world.read()).toEqual(expected);
  expect(isFirst).toBe(false);
});

test("a producer that stood still does not replace the manifest of a later producer with older parts", async () => {
  world = await ResultsWorld.of(Array.from({ length: 1_001 }, () => 1));
  await Promise.all([entry(0, 0), entry(1_000, 0)].map((each) => world.die(each)));
  await world.succeed(...Array.from({ length: 999 }, (_, page) => entry(page + 1, 0)));
  await world.compact();
  await world.redrive(entry(0, 0, 1));
  await world.redrive(entry(1_000, 0, 1));
  await world.succeed(entry(0, 0, 1));
  let isFirst = true;
  world.objects.onCall = async (method, key) => {
    if (method !== "putIfAbsent" || !key.endsWith("manifest-2.json") || !isFirst) return undefined;
    isFirst = false;
    await world.succeed(entry(1_000, 0, 1));
    await world.compact();
    return undefined;
  };
  await world.compact();
  expect(isFirst).toBe(false);
  expect((await world.run()).results.manifest).toBe(2);
  expect(await world.read()).toHaveLength(1_001);
});

test("a run of several blocks is compacted while it works, and gets its manifest at the end", async () => {
  world = await ResultsWorld.of(Array.from({ length: 1_002 }, () => 1));
  await Promise.all(Array.from({ length: 1_000 }, (_, page) => world.succeed(entry(page, 0))));
  expect((await world.run()).completeBlocks).toEqual(new Set([0]));
  expect(await world.isOutdated()).toBe(true);
  expect(await world.compact()).toEqual({ tag: "done", compactedBlocks: 1 });
  expect(world.objects.keys("run-1/manifest-")).toEqual([]);
  expect(world.objects.keys("run-1/raw/")).toHaveLength(1_000);
  expect(await world.read()).toHaveLength(1_000);
  await world.succeed(entry(1_001, 0), entry(1_000, 0));
  await world.compact();
  expect(manifest()).toMatchObject({ rows: 1_002, blocks: [{ block: 0 }, { block: 1 }] });
  expect((await world.read()).map(({ id }) => id)).toEqual(
    Array.from({ length: 1_002 }, (_, page) => `run-1/${page}/0`),
  );
  expect(world.objects.keys("run-1/raw/")).toEqual([]);
});
