import { gzipSync } from "node:zlib";
import { GetObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigurationError, type Cursor, s3Lines, UnreadableItem } from "../../../shared/index.ts";
import { type S3LinesOptions, s3LinesWith } from "../../../shared/sources/s3-lines.ts";
import { FakeS3, s3Error } from "../../helpers/fake-s3.ts";
import { seeds } from "../../helpers/seeds.ts";
import { itemsOf, pagesOf, readContext, restartable } from "./reading.ts";

let s3: FakeS3;
beforeEach(() => {
  s3 = new FakeS3();
});
afterEach(() => s3.restore());

const JSONL = { bucket: "uploads", key: "data.jsonl", format: "jsonl" } as const;
const CSV = { bucket: "uploads", key: "data.csv", format: "csv" } as const;
const GZIP = { ...JSONL, key: "data.jsonl.gz", compression: "gzip" } as const;
const source = (options: S3LinesOptions) => s3LinesWith(options, { now: () => 0 });

const jsonLines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");
const MIB = 1_024 * 1_024;

describe("formats", () => {
  test("JSON Lines, each cursor continues with the next line", async () => {
    const values = Array.from({ length: 10 }, (_, id) => ({ id, text: "ü😀" }));
    s3.put("data.jsonl", `\ufeff${jsonLines(values)}\n`);
    const pages = await restartable(() => source({ ...JSONL, pageSize: 3 }));
    expect(pages.flatMap(({ items }) => items)).toEqual(values);
    expect(pages[0]?.next).toEqual({ key: "data.jsonl", etag: s3.etagOf("data.jsonl"), size: 254, byte: 78, line: 4 });
  });

  test("CSV, with the header read again at each cursor, and rows over several lines", async () => {
    s3.put("data.csv", 'id;text\r\n1;"a\r\nb"\r\n2;"c ""d"""\r\n3;e');
    const pages = await restartable(() => source({ ...CSV, delimiter: ";", pageSize: 1 }));
    expect(pages.flatMap(({ items }) => items)).toEqual([
      { id: "1", text: "a\r\nb" },
      { id: "2", text: 'c "d"' },
      { id: "3", text: "e" },
    ]);
    expect(s3Lines(CSV).fieldsFrom).toBe("header");
    expect(s3Lines({ ...CSV, columns: ["a"] }).fieldsFrom).toBeUndefined();
    expect(s3Lines(JSONL).fieldsFrom).toBeUndefined();
  });

  test("a line that cannot be read becomes a dead letter with its place", async () => {
    s3.put("data.jsonl", '1\n{"a":\n12345678901234567\n2\n');
    const [one, broken, unsafe, two] = await itemsOf(source(JSONL));
    expect([one, two]).toEqual([1, 2]);
    expect(broken).toMatchObject({ raw: '{"a":', at: "s3://uploads/data.jsonl:2 (byte 2)" });
    expect(unsafe).toBeInstanceOf(UnreadableItem);
    expect(await itemsOf(source({ ...JSONL, unsafeNumbers: "bigint" }))).toContain(12345678901234567n);
  });

  test.each([
    ["gzip without the option", "data.jsonl", gzipSync("1\n"), JSONL, /compressed: set compression: "gzip"/],
    ["gzip twice", "data.jsonl.gz", gzipSync(gzipSync("1\n")), GZIP, /compressed: it is compressed twice/],
    ["no gzip", "data.jsonl.gz", "1\n", GZIP, /is not gzip, or is damaged: incorrect header check/],
    ["gzip that ends early", "data.jsonl.gz", gzipSync("1\n2\n").subarray(0, -3), GZIP, /unexpected end of file/],
    ["Parquet", "data.jsonl", "PAR1xxxx", JSONL, /a Parquet file/],
  ])("%s is an error", async (_, key, body, options, message) => {
    s3.put(key, body);
    await expect(itemsOf(source(options))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringMatching(message),
    });
  });
});

describe("ranges", () => {
  /** 9 MiB of lines whose characters have 4 bytes, so that a range often ends inside a character. */
  const long = Array.from({ length: 3_000 }, (_, id) => ({ id, text: "😀".repeat(760 + (id % 7)) }));

  test("a large object is read in ranges of 4 MiB, each of them once, of one version", async () => {
    s3.put("data.jsonl", jsonLines(long));
    expect(await itemsOf(source(JSONL))).toEqual(long);
    const size = s3.objects.get("data.jsonl")?.length ?? 0;
    const inputs = s3.inputsOf(GetObjectCommand);
    expect(inputs.map(({ Range }) => Range)).toEqual([
      `bytes=0-${4 * MIB - 1}`,
      `bytes=${4 * MIB}-${8 * MIB - 1}`,
      `bytes=${8 * MIB}-${size - 1}`,
    ]);
    expect(new Set(inputs.map(({ IfMatch }) => IfMatch))).toEqual(new Set([s3.etagOf("data.jsonl")]));
    expect(s3.inputsOf(HeadObjectCommand)).toHaveLength(1);
  });

  test("a run that continues far behind the start reads a little of the start, and then from its place", async () => {
    s3.put("data.jsonl", jsonLines(long));
    const pages = await pagesOf(source(JSONL));
    const cursor = pages[9]?.next as { byte: number } & Cursor;
    s3.mock.resetHistory();
    expect(await itemsOf(source(JSONL), cursor)).toEqual(long.slice(2_000));
    const [head, first] = s3.inputsOf(GetObjectCommand).map(({ Range }) => Range);
    expect(head).toBe(`bytes=0-${72 * 1_024 - 1}`);
    expect(first).toMatch(new RegExp(`^bytes=${cursor.byte}-`));
    expect(s3.inputsOf(HeadObjectCommand)).toHaveLength(0);
  });

  test("a line that is longer than a range is one item, and one beyond maxItemBytes a dead letter", async () => {
    const value = "x".repeat(9 * MIB);
    s3.put("data.jsonl", jsonLines([1, value, 2]));
    expect(await itemsOf(source({ ...JSONL, maxItemBytes: 10 * MIB }))).toEqual([1, value, 2]);
    expect(await itemsOf(source(JSONL))).toEqual([1, expect.any(UnreadableItem), 2]);
  });

  test("a response of another length is an error", async () => {
    s3.put("data.jsonl", "1\n2\n");
    s3.mock.on(GetObjectCommand).resolves({ Body: { transformToByteArray: async () => Buffer.from("1\n") } as never });
    await expect(itemsOf(source(JSONL))).rejects.toThrow("the response to bytes=0-3 has 2 bytes instead of 4");
  });

  test("an empty object has no items, and is not requested", async () => {
    s3.put("data.jsonl", "");
    expect(await pagesOf(source(JSONL))).toEqual([{ items: [] }]);
    expect(s3.inputsOf(GetObjectCommand)).toEqual([]);
  });
});

describe("gzip", () => {
  const values = Array.from({ length: 15_000 }, (_, id) => ({ id, text: `ü😀${id % 97}` }));

  test("a text is read to its end, and continues at a place in the text", async () => {
    s3.put("data.jsonl.gz", gzipSync(jsonLines(values)));
    const pages = await pagesOf(source(GZIP));
    expect(pages.flatMap(({ items }) => items)).toEqual(values);
    expect(await itemsOf(source(GZIP), pages[60]?.next as Cursor)).toEqual(values.slice(61 * 200));
    expect(await itemsOf(source(GZIP), pages[0]?.next as Cursor)).toEqual(values.slice(200));
  });

  test("several members in one object are one text, as log services write them", async () => {
    const parts = [jsonLines([1, 2]), "3", "\n4\n"].map((text) => gzipSync(text));
    s3.put("data.jsonl.gz", Buffer.concat(parts));
    expect(await itemsOf(source(GZIP))).toEqual([1, 2, 3, 4]);
  });

  test("CSV with gzip", async () => {
    s3.put("a.csv.gz", gzipSync("id,name\n1,a\n2,b\n"));
    const options = { ...CSV, key: "a.csv.gz", compression: "gzip", pageSize: 1 } as const;
    const pages = await restartable(() => source(options));
    expect(pages.flatMap(({ items }) => items)).toEqual([
      { id: "1", name: "a" },
      { id: "2", name: "b" },
    ]);
  });

  test("a slice that decompresses for 30 s only to skip warns, and for 60 s fails for good", async () => {
    s3.put("data.jsonl.gz", gzipSync(jsonLines(values)));
    const pages = await pagesOf(source(GZIP));
    let milliseconds = 0;
    const slow = s3LinesWith(GZIP, { now: () => (milliseconds += 6_000) });
    const warnings: string[] = [];
    const read = async () => {
      for await (const _ of slow.pages(pages[70]?.next as Cursor, readContext(undefined, warnings))) break;
    };
    await expect(read()).rejects.toMatchObject({
      permanent: true,
      message: expect.stringContaining("After 60 s it had"),
    });
    expect(warnings).toEqual([expect.stringContaining("a slice has needed more than 30 s")]);
  });

  test("a failure of a request while decompressing reaches the run", async () => {
    s3.put("data.jsonl.gz", gzipSync("1\n"));
    s3.mock.on(GetObjectCommand).rejects(s3Error("InternalError", "try again"));
    await expect(itemsOf(source(GZIP))).rejects.toMatchObject({
      permanent: false,
      message: expect.stringContaining("try again"),
    });
  });
});

describe("objects below a prefix", () => {
  const BELOW = { bucket: "uploads", prefix: "in/", format: "jsonl" } as const;

  test("are read in the order of their keys, and share pages", async () => {
    s3.put("in/b", "3\n4\n");
    s3.put("in/a", "1\n2");
    s3.put("in/empty");
    s3.put("in/z", "5\n");
    s3.put("other", "6\n");
    s3.mostKeys = 2;
    const pages = await restartable(() => source({ ...BELOW, pageSize: 3 }));
    expect(pages.flatMap(({ items }) => items)).toEqual([1, 2, 3, 4, 5]);
  });

  test("a page ends after 1,000 objects, so that many objects without items do not keep a slice from its checkpoints", async () => {
    for (let index = 0; index < 2_000; index++) s3.put(`in/${String(index).padStart(4, "0")}`);
    s3.put("in/9", "1\n");
    const pages = await restartable(() => source(BELOW));
    expect(pages).toEqual([
      { items: [], next: { after: "in/0999" } },
      { items: [], next: { after: "in/1999" } },
      { items: [1] },
    ]);
  });

  test("small objects are requested ahead, each of them once", async () => {
    for (let index = 0; index < 20; index++) s3.put(`in/${String(index).padStart(2, "0")}`, `${index}\n`);
    const pages = source(BELOW).pages(undefined, readContext());
    expect((await itemsOf(source(BELOW))).length).toBe(20);
    expect(s3.inputsOf(GetObjectCommand)).toHaveLength(20);
    await pages[Symbol.asyncIterator]().return?.();
  });

  test("a prefix without objects is a warning", async () => {
    const warnings: string[] = [];
    await pagesOf(source(BELOW), undefined, undefined, warnings);
    expect(warnings).toEqual(['no object of the bucket uploads has a key that begins with "in/"']);
  });

  test("each CSV object has its own header", async () => {
    s3.put("in/1", "a,b\n1,2\n");
    s3.put("in/2", "b,a\n3,4\n");
    expect(await itemsOf(source({ ...BELOW, format: "csv" }))).toEqual([
      { a: "1", b: "2" },
      { a: "4", b: "3" },
    ]);
  });
});

describe("changes and refusals", () => {
  test("an object that changes while a run reads it fails the run, instead of mixing versions", async () => {
    s3.put("data.jsonl", jsonLines([1, 2, 3, 4]));
    const pages = await pagesOf(source({ ...JSONL, pageSize: 2 }));
    s3.put("data.jsonl", jsonLines([5, 6, 7, 8]));
    await expect(itemsOf(source(JSONL), pages[0]?.next as Cursor)).rejects.toThrow(
      "s3://uploads/data.jsonl changed while a run was reading it (it has another ETag): restore the object",
    );
    s3.objects.delete("data.jsonl");
    await expect(itemsOf(source(JSONL), pages[0]?.next as Cursor)).rejects.toThrow(
      "was deleted while a run was reading it",
    );
  });

  test.each([
    ["NotFound", /Correct the option key/],
    ["InvalidObjectState", /The object is archived/],
  ])("%s fails the run at once", async (name, message) => {
    s3.put("data.jsonl", "1\n");
    s3.mock.on(name === "NotFound" ? HeadObjectCommand : GetObjectCommand).rejects(s3Error(name));
    await expect(itemsOf(source(JSONL))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringMatching(message),
    });
  });

  test("a denied HEAD request, whose error has no name, names the right", async () => {
    s3.mock.on(HeadObjectCommand).rejects(Object.assign(s3Error("Unknown"), { $metadata: { httpStatusCode: 403 } }));
    await expect(itemsOf(source(JSONL))).rejects.toThrow(/they need s3:GetObject on arn:aws:s3:::uploads\/data\.jsonl/);
  });

  test.each([
    [{ after: "x" }, /does not belong to the key "data.jsonl"/],
    [{ key: "other", etag: "e", size: 1, byte: 0, line: 1 }, /does not belong to the key/],
    [7, /does not come from s3Lines/],
  ])("the cursor %j is refused", async (cursor, message) => {
    await expect(itemsOf(source(JSONL), cursor)).rejects.toThrow(message);
  });

  test("warnings name an object with a header and no rows, and a JSON document with one list", async () => {
    const warnings: string[] = [];
    s3.put("data.csv", "id,name\n");
    s3.put("data.jsonl", '[{"a":1},{"a":2}]');
    await pagesOf(source(CSV), undefined, undefined, warnings);
    await pagesOf(source(JSONL), undefined, undefined, warnings);
    expect(warnings).toEqual([
      "s3://uploads/data.csv has a header (id, name) and no rows",
      expect.stringContaining("s3://uploads/data.jsonl has one line, a list of 2"),
    ]);
  });
});

describe("options", () => {
  test.each([
    [{ bucket: "uploads", format: "jsonl" }, /either key or prefix, but has neither/],
    [{ ...JSONL, prefix: "a" }, /either key or prefix, but has both/],
    [{ ...JSONL, key: "" }, /key must name an object/],
    [{ ...JSONL, compression: "zip" }, /compression must be "none" or "gzip", but is zip|"zip"/],
    [{ ...JSONL, format: "xml" }, /format must be "jsonl" or "csv"/],
    [{ ...JSONL, delimiter: ";" }, /s3Lines\(\.\.\., JSONL\) has the unknown option "delimiter"/],
    [{ ...JSONL, bucket: "logs--use1-az4--x-s3" }, /directory bucket/],
  ])("%j is refused", (options, message) => {
    expect(() => s3Lines(options as never)).toThrow(ConfigurationError);
    expect(() => s3Lines(options as never)).toThrow(message);
  });

  test("the rights are to read exactly the key, or to list and read exactly the prefix", () => {
    const resource = (name: string) => ({ service: "s3", region: "", account: "", resource: name });
    expect(s3Lines({ ...JSONL, key: "a*b?$" }).rights?.({})).toEqual([
      { actions: ["s3:GetObject"], resources: [resource(["uploads/a", "{*}b", "{?}", "{$}"].join("$"))] },
    ]);
    expect(s3Lines({ bucket: "uploads", prefix: "in/", format: "jsonl" }).rights?.({})).toEqual([
      {
        actions: ["s3:ListBucket"],
        resources: [resource("uploads")],
        conditions: { StringEquals: { "s3:prefix": "in/" } },
      },
      {
        actions: ["s3:GetObject"],
        resources: [resource("uploads/in/*")],
        reason: "The source reads all objects of the bucket whose keys begin with its prefix.",
      },
    ]);
  });
});

test("any objects, pages and compression: the items are the lines in order, from each cursor", async () => {
  const value = fc.oneof(fc.integer(), fc.string({ unit: "grapheme", maxLength: 5 }), fc.boolean());
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(value, { maxLength: 5 }), { maxLength: 6 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom("none" as const, "gzip" as const),
      fc.constantFrom("\n", "\r\n"),
      async (objects, pageSize, mostKeys, compression, lineEnd) => {
        s3.empty();
        s3.mostKeys = mostKeys;
        for (const [index, values] of objects.entries()) {
          const text = values.map((each) => JSON.stringify(each)).join(lineEnd);
          s3.put(`in/${index}`, compression === "gzip" ? gzipSync(text) : text);
        }
        const options = { bucket: "uploads", prefix: "in/", format: "jsonl", compression, pageSize } as const;
        const pages = await restartable(() => source(options));
        expect(pages.flatMap(({ items }) => items)).toEqual(objects.flat());
      },
    ),
    { numRuns: seeds(30) },
  );
});
