import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigurationError, type Partition, s3Lines, UnreadableItem } from "../../../shared/index.ts";
import { lineParts } from "../../../shared/sources/line-partitions.ts";
import { type ListedRange, rangeParts } from "../../../shared/sources/line-ranges.ts";
import type { S3LinesOptions } from "../../../shared/sources/s3-lines.ts";
import { FakeS3 } from "../../helpers/fake-s3.ts";
import { seeds } from "../../helpers/seeds.ts";
import { itemsOfPartitions, readContext } from "./reading.ts";
import { inParts, partitionsCoverObjects, rangesCoverObjects } from "./s3-line-files.ts";

let s3: FakeS3;
beforeEach(() => {
  s3 = new FakeS3();
});
afterEach(() => s3.restore());

const BELOW = { bucket: "uploads", prefix: "in/", format: "jsonl" } as const;
const ONE = { bucket: "uploads", key: "in/a", format: "jsonl" } as const;
const MIB = 1_024 * 1_024;

const partitionsOf = async (options: S3LinesOptions, leastBytes?: number) =>
  (await inParts(options, leastBytes).partitions?.(readContext())) ?? [];

/** Reads one partition from its start. */
async function read(options: S3LinesOptions, partition: Partition | undefined): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const page of inParts(options).pages(partition?.cursor, { ...readContext(), partition })) {
    items.push(...page.items);
  }
  return items;
}

test("partitions cover objects exactly, in the order of a serial walk", async () => {
  // `docs/internals/reliability.md` has the result with 10,000.
  await partitionsCoverObjects(s3, seeds(60));
});

test("ranges of keys, and pieces of the large objects in them, cover objects exactly, in the order of a serial walk", async () => {
  await rangesCoverObjects(s3, seeds(60));
});

describe("pieces of an object", () => {
  test("begin at lines, also at the first byte of a line, and a long line is in one piece", async () => {
    s3.put("in/a", "11\n22\n33333333333333\n4\n");
    const partitions = await partitionsOf(ONE, 6);
    expect(partitions.map(({ id }) => id)).toEqual([
      "0: in/a, bytes 0 to 4",
      "1: in/a, bytes 4 to 10",
      "2: in/a, bytes 10 to 16",
      "3: in/a, bytes 16 to 23",
    ]);
    const items = await Promise.all(partitions.map((partition) => read(ONE, partition)));
    expect(items).toEqual([[11, 22], [33333333333333], [], [4]]);
  });

  test("name the byte of a line that cannot be read, and not its number, which they do not know", async () => {
    s3.put("in/a", "1\n2\n{\n3\n4\n[\n");
    const items = (await itemsOfPartitions(inParts(ONE, 6))).flat();
    expect(items.map((item) => (item instanceof UnreadableItem ? item.at : item))).toEqual([
      1,
      2,
      "s3://uploads/in/a:3 (byte 4)",
      3,
      4,
      "s3://uploads/in/a (byte 10)",
    ]);
  });

  test("are requested once each, with a little of the start and of what follows", async () => {
    const line = `${JSON.stringify("x".repeat(1_021))}\n`;
    s3.put("in/a", line.repeat(20 * 1_024));
    const partitions = await partitionsOf(ONE, 10 * MIB);
    expect(partitions).toHaveLength(2);
    s3.mock.resetHistory();
    expect(await read(ONE, partitions[1])).toHaveLength(10 * 1_024);
    const ranges = s3
      .inputsOf(GetObjectCommand)
      .map(({ Range = "" }) => /(\d+)-(\d+)/.exec(Range)?.slice(1).map(Number));
    const bytes = ranges.reduce((sum, [from = 0, to = 0] = []) => sum + to - from + 1, 0);
    expect(ranges[0]).toEqual([0, 72 * 1_024 - 1]);
    expect(bytes).toBeLessThan(11 * MIB);
  });

  test("of the version that was listed: a changed object is an error", async () => {
    s3.put("in/a", "1\n2\n3\n4\n");
    const partitions = await partitionsOf(ONE, 4);
    s3.put("in/a", "5\n6\n7\n8\n");
    await expect(read(ONE, partitions[1])).rejects.toThrow("changed while a run was reading it (it has another ETag)");
  });

  test.each<[string, Partial<S3LinesOptions>]>([
    ["gzip", { compression: "gzip" }],
    ["CSV, in which a quoted field can have line ends", { format: "csv" }],
  ])("do not exist with %s", async (_, more) => {
    expect(s3Lines({ ...ONE, ...more } as never).partitions).toBeUndefined();
    s3.put("in/a", "a,b\n1,2\n3,4\n");
    s3.put("in/b", "a,b\n5,6\n7,8\n");
    const partitions = await partitionsOf({ ...BELOW, ...more } as S3LinesOptions, 1);
    expect(partitions.map(({ id }) => id)).toEqual(["0: from the first key up to in/a", "1: after in/a up to in/b"]);
  });

  test("of CSV without quotes begin behind the header", async () => {
    s3.put("in/a", "name,value\n1,2\n3,4\n5,6\n");
    const options = { ...ONE, format: "csv", quote: false } as const;
    for (const leastBytes of [1, 2, 3, 4, 7, 12]) {
      expect((await itemsOfPartitions(inParts(options, leastBytes))).flat()).toEqual([
        { name: "1", value: "2" },
        { name: "3", value: "4" },
        { name: "5", value: "6" },
      ]);
    }
  });
});

describe("groups of objects", () => {
  beforeEach(() => {
    for (const [index, key] of ["a", "b", "c", "d"].entries()) s3.put(`in/${key}`, `${index}\n`);
  });
  const groups = () => partitionsOf(BELOW, 4);

  test("have about the same number of bytes", async () => {
    const partitions = await groups();
    expect(partitions.map(({ id }) => id)).toEqual(["0: from the first key up to in/b", "1: after in/b up to in/d"]);
    expect(await read(BELOW, partitions[1])).toEqual([2, 3]);
  });

  test("have no object that was written after the list was made", async () => {
    const partitions = await groups();
    s3.put("in/aa", "7\n");
    s3.put("in/e", "8\n");
    const items = await Promise.all(partitions.map((partition) => read(BELOW, partition)));
    expect(items).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  test("fail if an object was changed or deleted after the list was made", async () => {
    const partitions = await groups();
    s3.put("in/b", "9\n");
    await expect(read(BELOW, partitions[0])).rejects.toThrow(
      /the object "in\/b", which changed after the run had listed it/,
    );
    s3.put("in/b", "1\n");
    s3.objects.delete("in/a");
    await expect(read(BELOW, partitions[0])).rejects.toThrow(/was deleted after .*: number 1 of the 2 objects/);
    s3.objects.delete("in/d");
    await expect(read(BELOW, partitions[1])).rejects.toThrow(/was deleted after .*: number 2 of the 2 objects/);
  });

  test("a group that is continued misses an object that was deleted since", async () => {
    const options = { ...BELOW, pageSize: 1 };
    const [partition] = await partitionsOf(options, 100);
    expect(partition).toEqual({ id: "all" });
    const [first] = await partitionsOf(options, 4);
    const pages = inParts(options).pages(first?.cursor, { ...readContext(), partition: first });
    const page = await pages[Symbol.asyncIterator]().next();
    s3.objects.delete("in/b");
    const rest = inParts(options).pages(page.value?.next, { ...readContext(), partition: first });
    const readRest = async () => {
      for await (const _ of rest);
    };
    await expect(readRest()).rejects.toThrow("was deleted");
  });

  test("are ranges of keys, found by sampling, if there are too many objects", async () => {
    for (let index = 0; index < 1_500; index++) s3.put(`in/${String(index).padStart(4, "0")}`, `${index}\n`);
    const options = { ...BELOW, partitions: 8 };
    const partitions = await partitionsOf(options, 1);
    expect(partitions.length).toBeGreaterThan(1);
    expect(partitions.length).toBeLessThanOrEqual(8);
    expect(JSON.stringify(partitions)).not.toContain("tags");
    expect((await itemsOfPartitions(inParts(options, 1))).flat()).toHaveLength(1_504);
  });
});

describe("ranges of keys", () => {
  const large = (key: string, size: number, before?: string) => ({ key, etag: '"e"', size, before });
  /** 200 ranges of 1,000 objects of 1 KiB. One of them also has an object of 10 GiB, and another one begins with such an object. */
  const ranges = Array.from({ length: 200 }, (_, number): ListedRange => {
    const keyOf = (each: number) => `k${String(each).padStart(3, "0")}`;
    const objects =
      number === 7
        ? [large("k007-5", 10 * 1_024 * MIB, "k007-4")]
        : number === 9
          ? [large("k009-0", 10 * 1_024 * MIB)]
          : [];
    const bytes = MIB + objects.reduce((sum, { size }) => sum + size, 0);
    return {
      range: { ...(number > 0 && { after: keyOf(number) }), upTo: keyOf(number + 1) },
      large: objects,
      bytes,
    };
  });

  test("divide a large object, so that no part has much more than its share of the bytes", () => {
    const parts = rangeParts(ranges, { parts: 1_000 });
    expect(parts.length).toBeLessThanOrEqual(1_000);
    const pieces = parts.flatMap((part) => ("piece" in part ? [part.piece] : []));
    // 20.2 GiB in 800 parts are 26 MiB, and a part has at least 32 MiB.
    expect(pieces).toHaveLength(2 * 320);
    expect(Math.max(...pieces.map(({ from, to }) => to - from))).toBe(32 * MIB);
    expect(pieces.filter(({ key }) => key === "k007-5").reduce((sum, { from, to }) => sum + to - from, 0)).toBe(
      10 * 1_024 * MIB,
    );
  });

  test("keep what is before and behind a large object", () => {
    const groups = rangeParts(ranges, { parts: 1_000 }).flatMap((part) => ("group" in part ? [part.group] : []));
    expect(groups).toHaveLength(201);
    expect(groups.slice(7, 11)).toEqual([
      { after: "k007", upTo: "k007-4" },
      { after: "k007-5", upTo: "k008" },
      { after: "k008", upTo: "k009" },
      { after: "k009-0", upTo: "k010" },
    ]);
  });

  test("have no part between two large objects that follow each other", () => {
    const size = 64 * MIB;
    const neighbours = [large("a", size), large("b", size, "a")];
    const parts = rangeParts([{ range: {}, large: neighbours, bytes: 2 * size }], { parts: 100 });
    expect(parts.filter((part) => "group" in part)).toEqual([{ group: { after: "b" } }]);
    expect(parts).toHaveLength(5);
  });

  test("have no more parts than wanted: then pieces are larger, or large objects stay whole", () => {
    const few = rangeParts(ranges, { parts: 220 });
    expect(few.length).toBeLessThanOrEqual(220);
    expect(few.filter((part) => "piece" in part).length).toBeGreaterThan(4);
    expect(rangeParts(ranges, { parts: 200 })).toHaveLength(200);
  });

  test("keep an object whose key is too long for a cursor", () => {
    const key = `k${"\u0001".repeat(400)}`;
    const parts = rangeParts([{ range: {}, large: [large(key, 10 * 1_024 * MIB)], bytes: 10 * 1_024 * MIB }], {
      parts: 100,
    });
    expect(parts).toEqual([{ group: {} }]);
  });

  test("are listed to find their large objects, each of them once, and an object that changes since is an error", async () => {
    s3.mostKeys = 100;
    for (let index = 0; index < 600; index++) s3.put(`in/${String(index).padStart(4, "0")}`, "1\n");
    s3.put("in/0300-large", "2\n".repeat(1_000));
    const source = inParts({ ...BELOW, partitions: 16 }, 200, 1);
    const partitions = (await source.partitions?.(readContext())) ?? [];
    const pieces = partitions.filter(({ id }) => id.includes("in/0300-large, bytes"));
    expect(pieces.length).toBeGreaterThan(2);
    expect(partitions.length).toBeLessThanOrEqual(16);
    const items = (await itemsOfPartitions(inParts({ ...BELOW, partitions: 16 }, 200, 1))).flat();
    expect(items).toHaveLength(1_600);
    s3.put("in/0300-large", "3\n".repeat(1_000));
    await expect(read(BELOW, pieces[1])).rejects.toThrow("changed while a run was reading it");
  });
});

describe("the list", () => {
  const object = (key: string, size: number) => ({ key, etag: '"e"', size });

  test("has at most as many parts as wanted, and at least 32 MiB in most of them", () => {
    const options = { parts: 1_000, isDivisible: true };
    expect(lineParts([object("a", 20 * MIB), object("b", 10 * MIB)], options)).toHaveLength(1);
    expect(lineParts([object("a", 1_024 * MIB)], options)).toHaveLength(32);
    const large = lineParts([object("a", 1_024 * 1_024 * MIB)], options);
    expect(large).toHaveLength(1_000);
    expect(lineParts([object("a", 100 * MIB)], { ...options, isDivisible: false })).toHaveLength(1);
  });

  test("has cursors that fit into the ledger, or is none", () => {
    const objects = Array.from({ length: 250 }, (_, index) =>
      object(String(index).padStart(5, "0").padStart(500, "k"), 1),
    );
    const parts = lineParts(objects, { parts: 10, isDivisible: true }) ?? [];
    expect(parts.map((part) => ("group" in part ? (part.group.tags?.length ?? 0) / 8 : 0))).toEqual([100, 100, 50]);
    for (const part of parts) expect(JSON.stringify(part).length).toBeLessThan(2_048);
    expect(lineParts([object("\u0001".repeat(1_000), 1)], { parts: 10, isDivisible: true })).toBeUndefined();
    expect(lineParts(objects, { parts: 2, isDivisible: true })).toBeUndefined();
  });

  test("is one part without objects, and reading it warns", async () => {
    expect(await partitionsOf(BELOW)).toEqual([{ id: "all" }]);
    const warnings: string[] = [];
    await itemsOfPartitions(inParts(BELOW), { warnings });
    expect(warnings).toEqual(['no object of the bucket uploads has a key that begins with "in/"']);
    expect(new Set(s3.inputsOf(ListObjectsV2Command).map(({ Prefix }) => Prefix))).toEqual(new Set(["in/"]));
  });

  test("`partitions: 1` makes none, and a partition of another source is refused", async () => {
    expect(s3Lines({ ...BELOW, partitions: 1 }).partitions).toBeUndefined();
    expect(() => s3Lines({ ...BELOW, partitions: 10_001 })).toThrow(ConfigurationError);
    await expect(read(BELOW, { id: "eu", cursor: 5 })).rejects.toMatchObject({
      permanent: true,
      message: expect.stringContaining('the partition "eu" does not come from s3Lines'),
    });
  });
});
