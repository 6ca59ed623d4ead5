import { gzipSync } from "node:zlib";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { s3Lines, s3Objects } from "../../shared/sources/index.ts";
import { itemsOf, pagesOf, restartable } from "../unit/sources/reading.ts";

const ODD = ["a b", "a+b", "100%.csv", "%20", "한글/x", "😀", "a&b<c>", "quote\"'", "dir/", "ünï"];
const MANY = Array.from({ length: 1_003 }, (_, index) => `many/${String(index).padStart(5, "0")}`);

const LINES = Array.from({ length: 20_000 }, (_, id) => ({ id, text: "ü😀".repeat(50) }));
const TEXT = LINES.map((line) => `${JSON.stringify(line)}\n`).join("");

beforeAll(async () => {
  // A source has the credentials and the endpoint that the SDK finds.
  vi.stubEnv("AWS_ENDPOINT_URL_S3", inject("endpoint"));
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  const client = new S3Client({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: "sources" }));
  const put = (Key: string) => client.send(new PutObjectCommand({ Bucket: "sources", Key, Body: Key }));
  for (const key of ODD) await put(`odd/${key}`);
  for (let begin = 0; begin < MANY.length; begin += 50) await Promise.all(MANY.slice(begin, begin + 50).map(put));
  const write = (Key: string, Body: string | Buffer) =>
    client.send(new PutObjectCommand({ Bucket: "sources", Key, Body }));
  await write("lines/a+b c.jsonl", TEXT);
  await write("lines/z.jsonl.gz", gzipSync(TEXT));
  client.destroy();
});
afterAll(() => {
  vi.unstubAllEnvs();
});

test("s3Objects lists odd keys as they are", async () => {
  const items = await itemsOf(s3Objects({ bucket: "sources", prefix: "odd/" }));
  expect(items.map(({ key }) => key.slice(4)).toSorted()).toEqual(ODD.toSorted());
  expect(items.every(({ size, key, etag }) => size === Buffer.byteLength(key) && /^".+"$/.test(etag))).toBe(true);
});

test("s3Objects lists more keys than one response holds, from each cursor", async () => {
  const pages = await restartable(() => s3Objects({ bucket: "sources", prefix: "many/" }));
  expect(pages.flatMap(({ items }) => items)).toHaveLength(1_003);
  expect(pages).toHaveLength(6);
});

test("s3Objects names a bucket that does not exist", async () => {
  await expect(itemsOf(s3Objects({ bucket: "no-such-bucket-here" }))).rejects.toMatchObject({
    permanent: true,
    message: expect.stringContaining("Correct the option bucket, or create the bucket"),
  });
});

test("s3Lines reads an object in ranges, also below a prefix with odd keys", async () => {
  const options = { bucket: "sources", prefix: "lines/a", format: "jsonl" } as const;
  const pages = await pagesOf(s3Lines(options));
  expect(pages.flatMap(({ items }) => items)).toEqual(LINES);
  expect(await itemsOf(s3Lines(options), pages[89]?.next ?? undefined)).toEqual(LINES.slice(18_000));
});

test("s3Lines reads an object with gzip, and continues in its middle", async () => {
  const options = { bucket: "sources", key: "lines/z.jsonl.gz", format: "jsonl", compression: "gzip" } as const;
  const pages = await pagesOf(s3Lines(options));
  expect(pages.flatMap(({ items }) => items)).toEqual(LINES);
  expect(await itemsOf(s3Lines(options), pages[89]?.next ?? undefined)).toEqual(LINES.slice(18_000));
});

test("s3Lines notices that an object has changed", async () => {
  const source = s3Lines({ bucket: "sources", key: "lines/z.jsonl.gz", format: "jsonl", compression: "gzip" });
  const next = { key: "lines/z.jsonl.gz", etag: '"another"', size: 100, byte: 0, line: 1 };
  await expect(itemsOf(source, next)).rejects.toThrow("changed while a run was reading it (it has another ETag)");
  const gone = s3Lines({ bucket: "sources", key: "lines/none", format: "jsonl" });
  await expect(itemsOf(gone)).rejects.toThrow("Correct the option key");
});
