import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigurationError, s3Lines, s3Objects } from "../../../shared/index.ts";
import { boundaryIn } from "../../../shared/sources/key-boundaries.ts";
import { compareUtf8, type KeyRange } from "../../../shared/sources/key-ranges.ts";
import { sampledRanges } from "../../../shared/sources/key-sample.ts";
import { FakeS3, s3Error } from "../../helpers/fake-s3.ts";
import { seeds } from "../../helpers/seeds.ts";
import { readContext } from "./reading.ts";
import { partitionsCoverBuckets } from "./s3-key-ranges.ts";

const number = (value: number, digits = 6) => String(value).padStart(digits, "0");
const times = <Value>(count: number, make: (index: number) => Value) =>
  Array.from({ length: count }, (_, n) => make(n));

/** Divides sorted keys, and says how many keys each range has and how many requests the sample took. */
async function divide(keys: readonly string[], { parts = 100, response = 100, prefix = "" } = {}) {
  const sorted = keys.toSorted(compareUtf8).map((key) => Buffer.from(key));
  const position = (key: string) => {
    const wanted = Buffer.from(key);
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Buffer.compare(sorted[middle] as Buffer, wanted) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  let requests = 0;
  const ranges = await sampledRanges({
    prefix,
    parts,
    requests: 4 * parts,
    isUsable: () => true,
    compare: compareUtf8,
    list: async (after) => {
      requests += 1;
      const from = after === undefined ? 0 : position(after);
      const listed = sorted.slice(from, from + response).map(String);
      return { keys: listed, isLast: from + response >= sorted.length };
    },
  });
  const size = ({ after, upTo }: KeyRange<string>) =>
    (upTo === undefined ? sorted.length : position(upTo)) - (after === undefined ? 0 : position(after));
  return { ranges, sizes: ranges.map(size), requests };
}

describe("a sample of the keys", () => {
  test.each<[string, readonly string[], number]>([
    ["numbers", times(20_000, (n) => `keys/${number(n)}`), 0.05],
    [
      "one prefix with 99 % of the keys",
      times(20_000, (n) => (n % 100 === 0 ? `tenant-${n}/x` : `tenant-5/2026/11/28/part-${number(n)}.parquet`)),
      0.05,
    ],
    ["hashes", times(20_000, (n) => `${Math.imul(n, 2_654_435_761) >>> 0}`.padStart(10, "0")), 0.05],
    ["a long beginning that all keys share", times(20_000, (n) => `${"very/long/path/".repeat(30)}${number(n)}`), 0.05],
    ["times", times(20_000, (n) => `logs/${new Date(1.7e12 + n * 6e5).toISOString().replaceAll("-", "/")}.json`), 0.1],
    ["characters outside ASCII", times(20_000, (n) => `${["한글", "😀", "ünï"][n % 3]}/${n}`), 0.15],
  ])("divides %s", async (_, keys, largest) => {
    const { ranges, sizes, requests } = await divide(keys);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(20_000);
    expect(Math.max(...sizes) / 20_000).toBeLessThanOrEqual(largest);
    expect(ranges.length).toBeGreaterThan(50);
    expect(ranges.length).toBeLessThanOrEqual(100);
    expect(requests).toBeLessThanOrEqual(400);
  });

  test("sends at most as many requests as it may", async () => {
    const { requests, ranges } = await divide(
      times(5_000, (n) => `${number(n)}`),
      { parts: 3 },
    );
    expect(requests).toBeLessThanOrEqual(12);
    expect(ranges).toHaveLength(3);
  });

  test("a boundary lies behind the last known key, and before the end of its range", () => {
    for (const how of ["wide", "deep"] as const) {
      for (const upTo of [undefined, "b", "ab0", "aaa\x7f1", "~", "\u{10ffff}"]) {
        const boundary = boundaryIn({ first: "aaa", last: "aaa\x7f", upTo, prefix: "" }, how);
        if (boundary === undefined) continue;
        expect(compareUtf8(boundary, "aaa\x7f")).toBe(1);
        if (upTo !== undefined) expect(compareUtf8(boundary, upTo)).toBe(-1);
      }
    }
    expect(boundaryIn({ first: "a", last: "a\ud7ff", upTo: "a\ue001", prefix: "a" }, "wide")).toBe("a\ue000");
  });
});

describe("s3Objects", () => {
  let s3: FakeS3;
  beforeEach(() => {
    s3 = new FakeS3();
  });
  afterEach(() => s3.restore());

  test("partitions cover a bucket exactly, in the order of a serial walk", async () => {
    // `docs/internals/reliability.md` has the result with 10,000.
    await partitionsCoverBuckets(s3, seeds(40));
  });

  test("a bucket whose keys fit into one response is one part, for one request", async () => {
    for (const key of ["a", "b", "c"]) s3.put(key);
    expect(await s3Objects({ bucket: "uploads" }).partitions?.(readContext())).toEqual([
      { id: "0: from the first key to the last key", cursor: {} },
    ]);
    expect(s3.inputsOf(ListObjectsV2Command)).toHaveLength(1);
  });

  test("each request of the sample has exactly the prefix that the right names, and few keys", async () => {
    for (let index = 0; index < 1_500; index++) s3.put(`in/${number(index)}`);
    s3.put("other");
    const partitions = await s3Objects({ bucket: "uploads", prefix: "in/", partitions: 10 }).partitions?.(
      readContext(),
    );
    expect(partitions?.length).toBeGreaterThan(1);
    expect(partitions?.length).toBeLessThanOrEqual(10);
    const [first, ...others] = s3.inputsOf(ListObjectsV2Command);
    expect([first, ...others].every((input) => input?.Prefix === "in/" && input.Delimiter === undefined)).toBe(true);
    expect(first?.MaxKeys).toBe(1_000);
    expect(others.every(({ MaxKeys }) => MaxKeys === 200)).toBe(true);
    expect(others.length).toBeLessThan(40);
  });

  test("boundaries are short enough for the ledger", async () => {
    const long = "x".repeat(1_000);
    for (let index = 0; index < 1_200; index++) s3.put(`${long}${number(index)}`);
    const partitions = await s3Objects({ bucket: "uploads", partitions: 10 }).partitions?.(readContext());
    for (const { cursor } of partitions ?? []) expect(JSON.stringify(cursor).length).toBeLessThan(2_048);
  });

  test("`partitions: 1` has no partitions, and other numbers are refused", () => {
    expect(s3Objects({ bucket: "uploads", partitions: 1 }).partitions).toBeUndefined();
    for (const partitions of [0, 10_001, 1.5, "3"]) {
      expect(() => s3Objects({ bucket: "uploads", partitions: partitions as number })).toThrow(ConfigurationError);
    }
    expect(() => s3Objects({ bucket: "uploads", partitions: 10_000 })).not.toThrow();
  });

  test("a directory bucket is refused before it is listed, also if a variable names it", async () => {
    for (const source of [
      s3Objects({ bucket: () => "logs--use1-az4--x-s3" }),
      s3Lines({ bucket: () => "logs--use1-az4--x-s3", prefix: "", format: "jsonl" }),
    ]) {
      await expect(source.partitions?.(readContext())).rejects.toThrow("does not list its keys in order");
    }
    expect(s3.mock.calls()).toHaveLength(0);
  });

  test("a refused request names the bucket and the right", async () => {
    s3.mock.on(ListObjectsV2Command).rejects(s3Error("AccessDenied"));
    await expect(s3Objects({ bucket: "uploads" }).partitions?.(readContext())).rejects.toThrow("s3:ListBucket");
  });
});
