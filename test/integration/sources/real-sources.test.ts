import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { buildApp } from "fauxqs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { hasPostgres, startTestPostgres } from "../../helpers/postgres.ts";
import { startS3KeyServer } from "../../helpers/s3-key-server.ts";
import { userTable } from "../../helpers/user-table.ts";
import { type Walk, type Walked, walk, walkAlone } from "../../helpers/walked-source.ts";

/**
 * The gate reads small sources. With `SLUICE_REAL_SOURCES=full`, the sources are as large as in
 * `docs/internals/reliability.md`, and a process of its own reads each of them, so that its memory can be measured.
 */
const isFull = process.env.SLUICE_REAL_SOURCES === "full";
const SIZES = isFull
  ? { lines: 4_100_000, rowsOfCsv: 500_000, keys: 300_000, items: 200_000, rows: 1_000_000 }
  : { lines: 20_000, rowsOfCsv: 5_000, keys: 1_200, items: 1_000, rows: 5_000 };
/** What a source may hold more at its end than after a tenth of its items. */
const GROWTH_MEGABYTES = 10;
/** The memory of a producer. */
const MEMORY_MEGABYTES = 512;
const HOUR_MILLISECONDS = 3_600_000;

async function isExact(walked: Walk): Promise<Walked> {
  const found = await (isFull ? walkAlone(walked) : walk(walked));
  if (isFull) console.log(JSON.stringify({ ...walked.source, ...found }));
  expect(found).toMatchObject({ items: walked.items, twice: 0, missing: 0, unreadable: 0 });
  if (isFull) {
    expect(found.heldMegabytesAtPeak - found.heldMegabytesAtTenth).toBeLessThan(GROWTH_MEGABYTES);
    expect(found.megabytesAtPeak).toBeLessThan(MEMORY_MEGABYTES);
  }
  return found;
}

beforeAll(() => {
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
});
afterAll(() => {
  vi.unstubAllEnvs();
});

describe("in an emulator of S3", () => {
  const app = buildApp({ logger: false });
  let endpoint = "";
  let client: S3Client;
  beforeAll(async () => {
    endpoint = await app.listen({ port: 0, host: "127.0.0.1" });
    vi.stubEnv("AWS_ENDPOINT_URL_S3", endpoint);
    client = new S3Client({ forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: "files" }));
  });
  afterAll(async () => {
    client.destroy();
    app.server.closeAllConnections();
    await app.close();
  });

  /** Writes an object in parts. @returns Its size in bytes. */
  async function upload(Key: string, chunks: Iterable<string>): Promise<number> {
    const object = { Bucket: "files", Key };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    let size = 0;
    let held: Buffer[] = [];
    let bytes = 0;
    const send = async () => {
      const PartNumber = Parts.length + 1;
      const part = { ...object, UploadId, PartNumber, Body: Buffer.concat(held) };
      const { ETag } = await client.send(new UploadPartCommand(part));
      Parts.push({ PartNumber, ETag });
      size += bytes;
      held = [];
      bytes = 0;
    };
    for (const chunk of chunks) {
      const buffer = Buffer.from(chunk);
      held.push(buffer);
      bytes += buffer.length;
      if (bytes >= 8 * 2 ** 20) await send();
    }
    if (bytes > 0) await send();
    await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts } }));
    return size;
  }

  test(
    "s3Lines reads each line of a large JSONL object once, and its memory stays flat",
    async () => {
      function* lines() {
        let text = "";
        for (let id = 0; id < SIZES.lines; id++) {
          // Some lines are longer than others: a few take 100 KB.
          const length = id % 100_000 === 99_999 ? 100_000 : 150 + (id % 100);
          text += `${JSON.stringify({ id, name: `ünï ${id}`, text: "x".repeat(length) })}\n`;
          if (text.length < 500_000) continue;
          yield text;
          text = "";
        }
        yield text;
      }
      const size = await upload("large.jsonl", lines());
      if (isFull) expect(size).toBeGreaterThan(1_000_000_000);
      await isExact({
        source: { tag: "lines", bucket: "files", key: "large.jsonl", format: "jsonl" },
        items: SIZES.lines,
      });
    },
    HOUR_MILLISECONDS,
  );

  test(
    "s3Lines reads each row of a messy CSV object once",
    async () => {
      const FIELDS = ["plain", '"a, b"', '"line 1\nline 2"', '"says ""hi"""', "", '"\r\n,\n"', "ünï 😀", '"  "'];
      function* rows() {
        let text = "\ufeffid,first,second,third\r\n";
        for (let id = 0; id < SIZES.rowsOfCsv; id++) {
          const field = (by: number) => FIELDS[(id * by + Math.floor(id / 7)) % FIELDS.length];
          const third = id % 50_000 === 4_999 ? `"${'long ""field""\n'.repeat(10_000)}"` : field(5);
          // The last row has no line end.
          const end = id === SIZES.rowsOfCsv - 1 ? "" : "\r\n";
          text += `${id % 3 === 0 ? `"${id}"` : id},${field(1)},${field(3)},${third}${end}`;
          if (text.length < 500_000) continue;
          yield text;
          text = "";
        }
        yield text;
      }
      await upload("messy.csv", rows());
      await isExact({
        source: { tag: "lines", bucket: "files", key: "messy.csv", format: "csv" },
        items: SIZES.rowsOfCsv,
      });
    },
    HOUR_MILLISECONDS,
  );
});

test.each([false, true])(
  "s3Objects lists each key of a large bucket once, divided: %s",
  async (divided) => {
    const keys = Array.from({ length: SIZES.keys }, (_, id) => {
      // One prefix has nearly all keys.
      const prefix = id % 100 === 0 ? `tenant ${id % 700}` : "tenant 350/2026/11/28";
      return `${prefix}/${String(id).padStart(7, "0")}`;
    });
    const s3 = await startS3KeyServer("keys", keys);
    vi.stubEnv("AWS_ENDPOINT_URL_S3", s3.endpoint);
    try {
      const { seconds } = await isExact({ source: { tag: "objects", bucket: "keys", divided }, items: SIZES.keys });
      if (isFull) console.log(JSON.stringify({ divided, listings: s3.listings(), seconds }));
      // A listing has 1,000 keys. A sample takes up to 800 more, and each of up to 200 ranges may need one listing more.
      expect(s3.listings()).toBeLessThanOrEqual(SIZES.keys / 1_000 + (divided ? 1_200 : 1));
    } finally {
      await s3.close();
    }
  },
  HOUR_MILLISECONDS,
);

test(
  "dynamoDbScan reads each item of a large table once",
  async () => {
    await using table = await userTable("large");
    await table.put(
      Array.from({ length: SIZES.items }, (_, index) => ({
        id: { N: String(index) },
        text: { S: "x".repeat(100 + (index % 9) * 100) },
      })),
    );
    await isExact({ source: { tag: "table", table: "large" }, items: SIZES.items });
  },
  HOUR_MILLISECONDS,
);

test.skipIf(!hasPostgres)(
  "postgresRows reads each row of a large table once",
  async () => {
    const postgres = await startTestPostgres();
    try {
      await postgres.run(
        `create table large (id int primary key, name text);
       insert into large select n, repeat('x', n % 200) from generate_series(0, ${SIZES.rows - 1}) n; analyze large`,
      );
      const { socket: host, port } = postgres;
      await isExact({ source: { tag: "rows", table: "large", host, port, user: "bench" }, items: SIZES.rows });
    } finally {
      await postgres.close();
    }
  },
  HOUR_MILLISECONDS,
);
