import {
  CompleteMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { describe, expect, test } from "vitest";
import { ObjectMissingError, ObjectStoreError } from "../../../shared/aws/object-store.ts";
import { s3Location } from "../../../shared/aws/s3-location.ts";
import { S3ObjectStore } from "../../../shared/aws/s3-object-store.ts";
import * as sdk from "../../../shared/aws/s3-sdk.ts";
import { ConfigurationError } from "../../../shared/base/errors.ts";
import { FakeS3Bucket, s3Error } from "../../helpers/fake-s3-bucket.ts";
import { testObjectStore } from "../results/object-store-contract.ts";

const MEGABYTE = 1_024 * 1_024;

function open() {
  const s3 = new FakeS3Bucket();
  let now = 0;
  const pauses: number[] = [];
  const store = new S3ObjectStore("s3://my-bucket/results/cities", sdk, s3.client, {
    now: () => now,
    random: () => 1,
    sleep: async (milliseconds) => {
      pauses.push(milliseconds);
      now += milliseconds;
    },
  });
  return { s3, store, pauses };
}

testObjectStore("S3", async () => open().store);

async function* bytes(...sizes: readonly number[]) {
  for (const [n, size] of sizes.entries()) yield Buffer.alloc(size, n + 1);
}

async function read(store: S3ObjectStore, key: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.stream(key)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("the URL of a store in S3", () => {
  test("names the bucket and what all keys begin with", () => {
    expect(s3Location("s3://my-bucket/a/b")).toEqual({ bucket: "my-bucket", prefix: "a/b/" });
    expect(s3Location("s3://my.bucket/a/")).toEqual({ bucket: "my.bucket", prefix: "a/" });
    expect(s3Location("s3://my-bucket")).toEqual({ bucket: "my-bucket", prefix: "" });
  });

  test.each(["s3:my-bucket", "s3://My_Bucket/a", "s3:///a", "s3://results--use1-az4--x-s3/a"])("is not %s", (url) => {
    expect(() => s3Location(url)).toThrow(ConfigurationError);
  });

  test("is put in front of every key, and is not part of a listed key", async () => {
    const { s3, store } = open();
    s3.objects.set("results/cities-2/run/a", Buffer.from("of another workflow"));
    await store.put("run/a", Buffer.from("x"));
    expect([...s3.objects.keys()]).toEqual(["results/cities-2/run/a", "results/cities/run/a"]);
    const listed = [];
    for await (const page of store.list("")) listed.push(...page);
    expect(listed).toEqual([{ key: "run/a", size: 1 }]);
    expect(store.url).toBe("s3://my-bucket/results/cities");
  });
});

describe("a conditional write", () => {
  test("is repeated while another write of the key is under way", async () => {
    const { s3, store, pauses } = open();
    s3.mock
      .on(PutObjectCommand)
      .rejectsOnce(s3Error("ConditionalRequestConflict", 409))
      .rejectsOnce(s3Error("ConditionalRequestConflict", 409))
      .resolves({});
    expect(await store.putIfAbsent("manifest-1.json", Buffer.from("{}"))).toBe(true);
    expect(pauses).toEqual([50, 100]);
  });

  test("fails when the conflict does not end", async () => {
    const { s3, store, pauses } = open();
    s3.mock.on(PutObjectCommand).rejects(s3Error("ConditionalRequestConflict", 409));
    await expect(store.putIfAbsent("manifest-1.json", Buffer.from("{}"))).rejects.toThrow(ObjectStoreError);
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBeLessThanOrEqual(6_000);
  });
});

describe("a stream of more bytes than one request takes", () => {
  test("is written in pieces, and read in pieces", async () => {
    const { s3, store } = open();
    await store.putStream("part.jsonl", bytes(5 * MEGABYTE, 7 * MEGABYTE, 8 * MEGABYTE + 1));
    const sizes = s3.mock.commandCalls(UploadPartCommand).map(({ args }) => (args[0].input.Body as Buffer).length);
    expect(sizes).toEqual([8 * MEGABYTE, 8 * MEGABYTE, 4 * MEGABYTE + 1]);
    const [complete] = s3.mock.commandCalls(CompleteMultipartUploadCommand);
    expect(complete?.args[0].input.MultipartUpload?.Parts).toEqual(
      [1, 2, 3].map((n) => ({ PartNumber: n, ETag: `"${n}"`, ChecksumCRC32: `crc-${n}` })),
    );
    const whole = Buffer.concat([
      Buffer.alloc(5 * MEGABYTE, 1),
      Buffer.alloc(7 * MEGABYTE, 2),
      Buffer.alloc(8 * MEGABYTE + 1, 3),
    ]);
    // A failure must not print 20 MB.
    expect((await read(store, "part.jsonl")).equals(whole)).toBe(true);
    expect(s3.mock.commandCalls(GetObjectCommand).map(({ args }) => args[0].input.Range)).toEqual([
      "bytes=0-4194303",
      "bytes=4194304-8388607",
      "bytes=8388608-12582911",
      "bytes=12582912-16777215",
      "bytes=16777216-20971519",
      "bytes=20971520-25165823",
    ]);
  });

  test("leaves no object and no upload if its source or S3 fails", async () => {
    const { s3, store } = open();
    const failure = new Error("the source of the chunks failed");
    async function* failing() {
      yield* bytes(9 * MEGABYTE);
      throw failure;
    }
    await expect(store.putStream("part.jsonl", failing())).rejects.toBe(failure);
    s3.mock.on(UploadPartCommand).rejects(s3Error("AccessDenied", 403));
    await expect(store.putStream("part.jsonl", bytes(9 * MEGABYTE))).rejects.toThrow(ObjectStoreError);
    expect(s3.objects.size).toBe(0);
    expect(s3.uploads.size).toBe(0);
  });

  test("is written if the answer to the last request was lost, and the SDK repeated the request", async () => {
    const { s3, store } = open();
    s3.mock.on(CompleteMultipartUploadCommand).callsFake(async ({ Key }) => {
      s3.objects.set(Key, Buffer.alloc(9 * MEGABYTE));
      throw s3Error("NoSuchUpload", 404);
    });
    await store.putStream("part.jsonl", bytes(9 * MEGABYTE));
    s3.mock.on(CompleteMultipartUploadCommand).rejects(s3Error("NoSuchUpload", 404));
    await expect(store.putStream("other.jsonl", bytes(9 * MEGABYTE))).rejects.toThrow(/NoSuchUpload/);
  });

  test("fails if the object disappears or changes while it is read", async () => {
    const { s3, store } = open();
    const readThen = async (change: () => void) => {
      s3.objects.set("results/cities/a", Buffer.alloc(17 * MEGABYTE, 1));
      let isFirst = true;
      for await (const _ of store.stream("a")) {
        if (isFirst) change();
        isFirst = false;
      }
    };
    await expect(readThen(() => s3.objects.delete("results/cities/a"))).rejects.toThrow(ObjectMissingError);
    await expect(readThen(() => s3.objects.set("results/cities/a", Buffer.alloc(17 * MEGABYTE, 2)))).rejects.toThrow(
      /PreconditionFailed/,
    );
  });
});

describe("a role that may list only below its prefix gets 403 for an object that does not exist", () => {
  test("and the store finds out by a listing", async () => {
    const { s3, store } = open();
    await store.put("run/a.json", Buffer.from("{}"));
    s3.mock.on(GetObjectCommand).rejects(s3Error("AccessDenied", 403));
    expect(await store.get("run/a")).toBeUndefined();
    expect(await store.getRange("run/a", 0, 1)).toBeUndefined();
    await expect(store.get("run/a.json")).rejects.toThrow(
      /could not read s3:\/\/my-bucket\/results\/cities\/run\/a.json/,
    );
    s3.mock.on(ListObjectsV2Command).rejects(s3Error("AccessDenied", 403));
    await expect(store.get("run/a")).rejects.toThrow(ObjectStoreError);
  });
});

describe("a deletion", () => {
  test("repeats what S3 could not delete", async () => {
    const { s3, store, pauses } = open();
    for (const key of ["a", "b"]) await store.put(key, Buffer.from(key));
    s3.mock
      .on(DeleteObjectsCommand)
      .resolvesOnce({ Errors: [{ Key: "results/cities/b", Code: "InternalError" }] })
      .resolves({});
    await store.delete(["a", "b"]);
    const asked = s3.mock.commandCalls(DeleteObjectsCommand).map(({ args }) => args[0].input.Delete?.Objects);
    expect(asked).toEqual([[{ Key: "results/cities/a" }, { Key: "results/cities/b" }], [{ Key: "results/cities/b" }]]);
    expect(pauses).toEqual([50]);
  });

  test("of more than 1,000 objects takes several requests", async () => {
    const { s3, store } = open();
    await store.delete(Array.from({ length: 1_001 }, (_, n) => `run/${n}`));
    const sizes = s3.mock.commandCalls(DeleteObjectsCommand).map(({ args }) => args[0].input.Delete?.Objects?.length);
    expect(sizes).toEqual([1_000, 1]);
  });

  test("that S3 refuses fails", async () => {
    const { s3, store } = open();
    s3.mock.on(DeleteObjectsCommand).resolves({ Errors: [{ Key: "results/cities/a", Code: "AccessDenied" }] });
    await expect(store.delete(["a"])).rejects.toThrow(/could not delete .*AccessDenied/);
  });
});

test("an error names the object, what S3 said, and what to do", async () => {
  const { s3, store } = open();
  s3.mock.on(PutObjectCommand).rejects(s3Error("AccessDenied", 403));
  await expect(store.put("run/raw/a.jsonl", Buffer.from("x"))).rejects.toThrow(
    "could not write s3://my-bucket/results/cities/run/raw/a.jsonl: AccessDenied: AccessDenied of the test (the role lacks",
  );
});
