import { parse } from "csv-parse/sync";
import { describe, expect, test } from "vitest";
import { type FailedItem, type RowOptions, rowFormat } from "../../../../cli/results/rows.ts";
import type { ResultSet } from "../../../../shared/results/read-results.ts";
import { resultsDirectory, storeResults } from "../../../helpers/stored-results.ts";

const FIRST =
  '{"id":"r/0/0","result":{"noon":"12:01","at":{"lat":1}},"attempts":1}\n{"id":"r/0/1","result":7,"attempts":2}\n';
const SECOND = '{"id":"r/1000/0","result":{"note":"=1+1\\n"},"attempts":1}\n';
const HEADER = 'id,attempts,"no\non"\n';
const CSV = { first: `${HEADER}r/0/0,1,12:01\nr/0/1,2,\n`, second: `${HEADER}r/1000/0,1,13:00\n` };

const FAILED = {
  id: "message-1",
  run: "r",
  page: 0,
  index: 2,
  reason: "permanent",
  failures: [{}],
  error: { name: "PermanentError", message: "=no city" },
  item: { city: 3 },
} as unknown as FailedItem;

const setOf = (changes: Partial<ResultSet>): ResultSet => ({
  store: undefined as never,
  expectedRows: 3,
  async *lines() {
    yield { lines: Buffer.from(FIRST), rows: 2 };
    yield { lines: Buffer.from(SECOND), rows: 1 };
  },
  ...changes,
});

async function written(set: ResultSet, options: Partial<RowOptions>, failed: readonly FailedItem[] = []) {
  const format = await rowFormat(set, {
    format: "jsonl",
    include: ["attempts"],
    hasFailed: failed.length > 0,
    ...options,
  });
  const contents: string[] = [];
  let rows = 0;
  for await (const some of format.rows()) {
    contents.push(some.content.toString());
    rows += some.rows;
  }
  if (failed.length > 0) contents.push(format.failed(failed));
  return { text: contents.join(""), rows };
}

describe("results as JSONL", () => {
  test("are written as they are", async () => {
    expect(await written(setOf({}), {})).toEqual({ text: FIRST + SECOND, rows: 3 });
  });

  test("are followed by what failed, with the reason", async () => {
    const { text } = await written(setOf({}), {}, [FAILED]);
    const [last = ""] = text.split("\n").slice(-2);
    expect(JSON.parse(last)).toEqual({
      id: "r/0/2",
      failed: {
        reason: "permanent",
        attempts: 1,
        error: { name: "PermanentError", message: "=no city" },
        deadLetter: "message-1",
      },
      item: { city: 3 },
    });
  });
});

describe("results as CSV", () => {
  async function stored(changes: Partial<ResultSet> = {}): Promise<ResultSet> {
    const parts = [
      { jsonl: FIRST, csv: CSV.first },
      { jsonl: SECOND, csv: CSV.second },
    ];
    return setOf({ ...(await storeResults(resultsDirectory(), "r", parts, { format: "csv" })), ...changes });
  }

  test("are copied from the CSV parts, with one header", async () => {
    expect(await written(await stored(), { format: "csv" })).toEqual({
      text: `${CSV.first}r/1000/0,1,13:00\n`,
      rows: 3,
    });
  });

  test("are converted if the manifest does not have all of them", async () => {
    const { text } = await written(await stored({ expectedRows: 4 }), { format: "csv" });
    expect(parse(text)[0]).toEqual(["id", "attempts", "noon", "at", "result", "note"]);
  });

  test("are converted if the run has JSONL: one column for each field of any result", async () => {
    let read = 0;
    const onRead = (rows: number) => {
      read += rows;
    };
    const { text, rows } = await written(setOf({}), { format: "csv", onRead });
    expect(parse(text)).toEqual([
      ["id", "attempts", "noon", "at", "result", "note"],
      ["r/0/0", "1", "12:01", '{"lat":1}', "", ""],
      ["r/0/1", "2", "", "", "7", ""],
      ["r/1000/0", "1", "", "", "", "'=1+1\n"],
    ]);
    expect({ rows, read }).toEqual({ rows: 3, read: 3 });
  });

  test("are converted line by line, also where a chunk has many, and characters of several bytes", async () => {
    const notes = Array.from({ length: 5_000 }, (_, index) => "ü😀".repeat(index % 23));
    const lines = notes.map((note, index) => `${JSON.stringify({ id: `r/0/${index}`, result: { note } })}\n`);
    const set = setOf({
      async *lines() {
        yield { lines: Buffer.from(lines.join("")), rows: lines.length };
      },
    });
    const { text } = await written(set, { format: "csv", include: [] });
    expect(parse(text).slice(1)).toEqual(notes.map((note, index) => [`r/0/${index}`, note]));
  });

  test("are followed by what failed, in columns of its own", async () => {
    const { text } = await written(await stored(), { format: "csv", include: ["item"] }, [FAILED]);
    const [header, , , , last] = parse(text);
    expect(header).toEqual(["id", "item", "noon", "at", "result", "note", "reason", "error"]);
    expect(last).toEqual(["r/0/2", '{"city":3}', "", "", "", "", "permanent", "PermanentError: =no city"]);
  });
});
