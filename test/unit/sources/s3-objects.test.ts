import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigurationError, Throttled } from "../../../shared/index.ts";
import { s3Objects } from "../../../shared/sources/index.ts";
import { sourceWaitOf } from "../../../shared/sources/source-wait.ts";
import { FakeS3, s3Error } from "../../helpers/fake-s3.ts";
import { seeds } from "../../helpers/seeds.ts";
import { itemsOf, pagesOf, restartable } from "./reading.ts";

let s3: FakeS3;
beforeEach(() => {
  s3 = new FakeS3();
});
afterEach(() => s3.restore());

const keysOf = async (options: Partial<Parameters<typeof s3Objects>[0]> = {}) =>
  (await itemsOf(s3Objects({ bucket: "uploads", ...options }))).map(({ key }) => key);

describe("listing", () => {
  test("an item has what S3 says about an object", async () => {
    s3.put("a/1.txt", "hello");
    expect(await itemsOf(s3Objects({ bucket: "uploads" }))).toEqual([
      {
        bucket: "uploads",
        key: "a/1.txt",
        size: 5,
        etag: '"5d41402abc4b2a76b9719d911017c592"',
        lastModified: "2026-11-28T01:02:03.000Z",
        storageClass: "STANDARD",
      },
    ]);
  });

  test("an empty bucket has one page without items", async () => {
    expect(await pagesOf(s3Objects({ bucket: "uploads" }))).toEqual([{ items: [] }]);
  });

  test("only keys with the prefix, and after startAfter, are items", async () => {
    for (const key of ["a/1", "b/1", "b/2", "b/3", "c/1"]) s3.put(key);
    expect(await keysOf({ prefix: "b/", startAfter: "b/1" })).toEqual(["b/2", "b/3"]);
    expect(s3.inputsOf(ListObjectsV2Command)[0]).toMatchObject({ Bucket: "uploads", Prefix: "b/", StartAfter: "b/1" });
  });

  test("odd keys arrive as they are", async () => {
    const odd = ["a b", "a+b", "100%.csv", "%20", "한글/x", "😀", "\u0001", "a&b<c>", "quote\"'", "dir/", "ünï"];
    for (const key of odd) s3.put(key);
    expect((await keysOf()).toSorted()).toEqual(odd.toSorted());
  });

  test("the order is that of UTF-8 bytes, in which U+FFFD is before an emoji", async () => {
    s3.mostKeys = 1;
    for (const key of ["😀", "\uFFFD"]) s3.put(key);
    expect(await keysOf()).toEqual(["\uFFFD", "😀"]);
  });

  test.each([
    [1, 1],
    [2, 3],
    [3, 7],
    [7, 200],
    [4, 2],
  ])("with %d keys a response and pages of %d, each cursor continues with the next key", async (mostKeys, pageSize) => {
    s3.mostKeys = mostKeys;
    const keys = Array.from({ length: 20 }, (_, index) => `k${String(index).padStart(3, "0")}`);
    for (const key of keys) s3.put(key);
    const pages = await restartable(() => s3Objects({ bucket: "uploads", pageSize }));
    expect(pages.flatMap(({ items }) => items.map(({ key }) => key))).toEqual(keys);
    expect(pages.every(({ items }) => items.length <= pageSize)).toBe(true);
  });

  test("a listing continues by StartAfter, and never by a token, so that a cursor is valid for days", async () => {
    s3.mostKeys = 2;
    for (const key of ["a", "b", "c"]) s3.put(key);
    await keysOf();
    const inputs = s3.inputsOf(ListObjectsV2Command);
    expect(inputs.map(({ StartAfter }) => StartAfter)).toEqual([undefined, "b"]);
    expect(inputs.map(({ ContinuationToken }) => ContinuationToken)).toEqual([undefined, undefined]);
  });

  test("an object that is deleted while a run waits does not disturb it", async () => {
    for (const key of ["a", "b", "c"]) s3.put(key);
    const source = s3Objects({ bucket: "uploads", pageSize: 1 });
    const [first] = await pagesOf(source);
    s3.objects.delete("a");
    expect((await itemsOf(source, first?.next ?? undefined)).map(({ key }) => key)).toEqual(["b", "c"]);
  });

  test("the bucket's name can come from the environment", async () => {
    s3.put("a");
    process.env.TEST_BUCKET = "uploads";
    expect(await keysOf({ bucket: ({ TEST_BUCKET = "" }) => TEST_BUCKET })).toEqual(["a"]);
    delete process.env.TEST_BUCKET;
    await expect(keysOf({ bucket: ({ TEST_BUCKET = "" }) => TEST_BUCKET })).rejects.toThrow(
      'bucket must be the name of a bucket, but is "": write the name alone',
    );
  });
});

describe("the end of a listing", () => {
  const answer = (response: object) => s3.mock.on(ListObjectsV2Command).resolves(response);
  const object = (Key: string) => ({ Key, Size: 1, ETag: '"e"', LastModified: new Date(0) });

  test("a response that does not say whether keys follow is an error, and not the end", async () => {
    answer({ Contents: [object("a")] });
    await expect(keysOf()).rejects.toThrow(
      "cannot list s3://uploads/: the response does not say whether more keys follow",
    );
  });

  test("a truncated response without keys continues by its token", async () => {
    s3.mock
      .on(ListObjectsV2Command)
      .resolvesOnce({ IsTruncated: true, NextContinuationToken: "next" })
      .resolvesOnce({ IsTruncated: true, Contents: [object("a")] })
      .resolves({ IsTruncated: false, Contents: [object("b")] });
    expect(await keysOf()).toEqual(["a", "b"]);
    expect(s3.inputsOf(ListObjectsV2Command).map((input) => [input.ContinuationToken, input.StartAfter])).toEqual([
      [undefined, undefined],
      ["next", undefined],
      [undefined, "a"],
    ]);
  });

  test("a truncated response without keys and without a token is an error", async () => {
    answer({ IsTruncated: true });
    await expect(keysOf()).rejects.toThrow("says that more keys follow, but has neither a key nor a token");
  });

  test.each([
    ["descending", ["b", "a"]],
    ["repeated", ["a", "a"]],
  ])("%s keys are an error, because a cursor would skip keys", async (_, keys) => {
    answer({ IsTruncated: false, Contents: keys.map(object) });
    await expect(keysOf()).rejects.toMatchObject({
      permanent: true,
      message: expect.stringContaining("is not the order"),
    });
  });

  test("a key without the prefix is an error", async () => {
    answer({ IsTruncated: false, Contents: [object("b/1")] });
    await expect(keysOf({ prefix: "a/" })).rejects.toThrow("does not begin with the prefix");
  });

  test("an object without a size is an error", async () => {
    answer({ IsTruncated: false, Contents: [{ ...object("a"), Size: undefined }] });
    await expect(keysOf()).rejects.toThrow('the object "a" lacks its key, size, ETag or time');
  });
});

describe("refusals", () => {
  const refuse = (error: Error) => s3.mock.on(ListObjectsV2Command).rejects(error);

  test.each([
    ["NoSuchBucket", /Correct the option bucket/],
    ["PermanentRedirect", /set the option region/],
  ])("%s fails the run at once and says how to fix it", async (name, message) => {
    refuse(s3Error(name, "no"));
    await expect(keysOf()).rejects.toMatchObject({ permanent: true, message: expect.stringMatching(message) });
  });

  test("credentials without the right are named with the right, and a new right has time to arrive", async () => {
    refuse(s3Error("AccessDenied", "Access Denied"));
    await expect(keysOf({ prefix: "in/" })).rejects.toMatchObject({
      permanent: false,
      message: expect.stringMatching(
        /^cannot list s3:\/\/uploads\/in\/: Access Denied\. .*s3:ListBucket on arn:aws:s3:::uploads/,
      ),
    });
  });

  test("missing credentials are said to be missing", async () => {
    refuse(s3Error("CredentialsProviderError", "Could not load credentials"));
    await expect(keysOf()).rejects.toThrow(/missing or invalid: run aws configure/);
  });

  test("a throttled request is a wait, with the time that S3 names", async () => {
    refuse(s3Error("SlowDown", "Please reduce your request rate.", { "retry-after": "7" }));
    const thrown = await keysOf().catch((error) => error);
    expect(thrown).toBeInstanceOf(Throttled);
    expect(sourceWaitOf(thrown, 1_000)?.until).toBe(8_000);
    refuse(s3Error("SlowDown"));
    expect(sourceWaitOf(await keysOf().catch((error) => error), 1_000)).toMatchObject({ until: undefined });
  });

  test("another error is a failure that is tried again", async () => {
    refuse(s3Error("InternalError", "We encountered an internal error."));
    await expect(keysOf()).rejects.toMatchObject({ code: "SOURCE", permanent: false });
  });

  test("an aborted read throws the reason of the signal", async () => {
    const reason = new Error("the slice ends");
    s3.put("a");
    await expect(
      pagesOf(s3Objects({ bucket: "uploads" }), undefined, AbortSignal.abort(reason)),
    ).resolves.toBeDefined();
    refuse(s3Error("AbortError"));
    await expect(pagesOf(s3Objects({ bucket: "uploads" }), undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test("a cursor of another source is an error", async () => {
    await expect(itemsOf(s3Objects({ bucket: "uploads" }), 5)).rejects.toThrow(
      "the cursor 5 does not come from s3Objects",
    );
  });
});

describe("options", () => {
  test.each([
    [
      { bucket: "logs--use1-az4--x-s3" },
      /directory bucket "logs--use1-az4--x-s3", which does not list its keys in order/,
    ],
    [{ bucket: "point--use1-az4--xa-s3" }, /directory bucket/],
    [{ bucket: "arn:aws:s3:::uploads" }, /write the name alone/],
    [{ bucket: "s3://uploads" }, /write the name alone/],
    [{ bucket: "ab" }, /must be the name of a bucket/],
    [{ bucket: undefined }, /must be the name of a bucket, but is undefined/],
    [{ bucket: "uploads", prefix: "x".repeat(1_025) }, /prefix must be a text of at most 1024 bytes/],
    [{ bucket: "uploads", prefix: "\ud800" }, /prefix must be a text/],
    [{ bucket: "uploads", startAfter: 5 }, /startAfter must be a text/],
    [{ bucket: "uploads", pageSize: 201 }, /pageSize must be a whole number from 1 to 200/],
    [{ bucket: "uploads", region: "Frankfurt" }, /region must be the name of a region/],
    [{ bucket: "uploads", delimiter: "/" }, /unknown option "delimiter"/],
  ])("%j is refused", (options, message) => {
    expect(() => s3Objects(options as never)).toThrow(ConfigurationError);
    expect(() => s3Objects(options as never)).toThrow(message);
  });

  test("the longest prefix is accepted, and names of old buckets", () => {
    expect(() => s3Objects({ bucket: "abc", prefix: "x".repeat(1_024) })).not.toThrow();
    expect(() => s3Objects({ bucket: "Old_Bucket" })).not.toThrow();
  });

  test("the right is to list exactly this prefix of exactly this bucket", () => {
    const resources = [{ service: "s3", region: "", account: "", resource: "uploads" }];
    expect(s3Objects({ bucket: "uploads" }).rights?.({})).toEqual([{ actions: ["s3:ListBucket"], resources }]);
    expect(s3Objects({ bucket: ({ B = "" }) => B, prefix: "a/*" }).rights?.({ B: "uploads" })).toEqual([
      { actions: ["s3:ListBucket"], resources, conditions: { StringEquals: { "s3:prefix": "a/*" } } },
    ]);
    expect(() => s3Objects({ bucket: ({ B = "" }) => B }).rights?.({})).toThrow("the function bucket returned");
  });

  test("a prefix that looks like a policy variable is meant as it stands", () => {
    const variable = "$" + "{aws:username}";
    const [right] = s3Objects({ bucket: "uploads", prefix: `${variable}/$x/` }).rights?.({}) ?? [];
    expect(right?.conditions).toEqual({ StringEquals: { "s3:prefix": `$\{$}{aws:username}/$x/` } });
  });
});

test("any keys, responses and pages: the items are the keys in order, from each cursor", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 12 }),
      async (keys, mostKeys, pageSize) => {
        s3.empty();
        for (const key of keys) s3.put(key);
        s3.mostKeys = mostKeys;
        const pages = await restartable(() => s3Objects({ bucket: "uploads", pageSize }));
        const expected = keys.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
        expect(pages.flatMap(({ items }) => items.map(({ key }) => key))).toEqual(expected);
      },
    ),
    { numRuns: seeds(40) },
  );
});
