import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Encodes a key as S3 does when a listing asks for URL encoding. */
const encode = (key: string): string => encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/");

/** An S3 that lists buckets, and does nothing else. */
export interface S3KeyServer {
  readonly endpoint: string;
  /** How many listings it has answered. */
  readonly listings: () => number;
  close(): Promise<void>;
}

/**
 * Starts an S3 on a free port of the loopback interface, with one bucket. A listing finds its first key by a binary search:
 * it costs the same for a bucket of any size, and it has the order of UTF-8 bytes. fauxqs sorts all keys of the bucket for
 * each listing, by a locale, so listing 300,000 keys there takes hours.
 */
export async function startS3KeyServer(bucket: string, keys: readonly string[]): Promise<S3KeyServer> {
  const sorted = keys.map((key) => Buffer.from(key)).sort(Buffer.compare);
  let listings = 0;
  /** The position of the first key that is greater than a text, or, with `orEqual`, at least the text. */
  const after = (text: string, orEqual: boolean): number => {
    const wanted = Buffer.from(text);
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Buffer.compare(sorted[middle] as Buffer, wanted) >= Number(!orEqual)) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    if (request.method !== "GET" || searchParams.get("list-type") !== "2" || pathname.split("/")[1] !== bucket) {
      response.writeHead(404).end("<Error><Code>NoSuchBucket</Code><Message>The bucket is missing</Message></Error>");
      return;
    }
    listings++;
    const prefix = searchParams.get("prefix") ?? "";
    const most = Number(searchParams.get("max-keys") ?? 1_000);
    const from = Math.max(after(prefix, true), after(searchParams.get("start-after") ?? "", false));
    const found = sorted.slice(from, from + most + 1).map(String);
    const listed = found.filter((key) => key.startsWith(prefix));
    const page = listed.slice(0, most);
    const contents = page.map(
      (key) =>
        `<Contents><Key>${encode(key)}</Key><Size>1</Size><ETag>&quot;e&quot;</ETag>` +
        "<LastModified>2026-11-28T01:02:03.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>",
    );
    response
      .writeHead(200, { "content-type": "application/xml" })
      .end(
        `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>${listed.length > most}</IsTruncated>` +
          `<EncodingType>url</EncodingType><KeyCount>${page.length}</KeyCount>${contents.join("")}</ListBucketResult>`,
      );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    listings: () => listings,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
