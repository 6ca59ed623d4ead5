import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import type { RunSummary } from "../../../shared/definition/on-complete.ts";
import { readResults } from "../../../shared/index.ts";
import { offerResults } from "../../../shared/results/result-records.ts";
import { resultsDirectory, storeResults } from "../../helpers/stored-results.ts";

const PARTS = [
  { jsonl: '{"id":"r/0/0","result":{"noon":"12:01"},"attempts":1}\n{"id":"r/0/1","result":null,"attempts":3}\n' },
  { jsonl: '{"id":"r/1000/0","result":"ä\u2028","attempts":1}\n' },
];

async function all<T>(rows: AsyncIterable<T>): Promise<readonly T[]> {
  const read: T[] = [];
  for await (const row of rows) read.push(row);
  return read;
}

describe("readResults", () => {
  test("reads the latest manifest at a URL, in the order of the source", async () => {
    const path = resultsDirectory();
    await storeResults(path, "r", PARTS.slice(0, 1));
    await storeResults(path, "r", PARTS, { version: 2 });
    const rows = readResults<{ readonly noon: string } | string | null>({ url: pathToFileURL(path).href, run: "r" });
    expect(await all(rows)).toEqual([
      { id: "r/0/0", result: { noon: "12:01" }, attempts: 1 },
      { id: "r/0/1", result: null, attempts: 3 },
      { id: "r/1000/0", result: "ä\u2028", attempts: 1 },
    ]);
  });

  test("refuses a run without a manifest, and says what to do", async () => {
    const location = { url: pathToFileURL(resultsDirectory()).href, run: "r" };
    await expect(all(readResults(location))).rejects.toMatchObject({
      code: "UNKNOWN_RUN",
      message: expect.stringMatching(/no manifest of run r .*npx sluice results/s),
    });
  });

  test("refuses another URL", async () => {
    await expect(all(readResults({ url: "https://bucket.test", run: "r" }))).rejects.toThrow(/must begin with s3:/);
  });

  test("reads the results of the summary that onComplete receives, and of no copy of it", async () => {
    const { store } = await storeResults(resultsDirectory(), "r", PARTS);
    const summary = { run: "r" } as RunSummary;
    const lines = async function* () {
      for (const { jsonl } of PARTS) yield { lines: Buffer.from(jsonl), rows: 1 };
    };
    offerResults(summary, async () => ({ store, expectedRows: 3, lines }));
    expect(await all(readResults(summary))).toHaveLength(3);
    await expect(all(readResults({ ...summary }))).rejects.toMatchObject({ code: "CONFIGURATION" });
  });
});
