import { parse } from "csv-parse/sync";
import { describe, expect, test } from "vitest";
import { FailedColumns } from "../../../../cli/results/failed-columns.ts";
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
  const include = options.include ?? ["attempts"];
  const columns = new FailedColumns(include);
  for (const { item } of failed) columns.learn(item);
  const format = await rowFormat(set, {
    format: "jsonl",
    include,
    ...(failed.length > 0 && { failed: columns }),
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

  const failedRows = async (include: RowOptions["include"], ...items: readonly unknown[]) => {
    const failed = items.map((item) => ({ ...FAILED, item }));
    const rows = parse((await written(await stored(), { format: "csv", include }, failed)).text);
    return { header: rows[0], rows: rows.slice(4) };
  };
  const PERMANENT = ["permanent", "PermanentError: =no city"];
  const RESULTS = ["noon", "at", "result", "note"];

  test("are followed by what failed: why, how often, its dead letter, and the fields of the item", async () => {
    const { header, rows } = await failedRows(
      [],
      { city: 3, name: "=a", at: [1] },
      { city: 12345678901234567890n, "x,y": null },
    );
    const fields = ["item.city", "item.name", "item.at", "item.x,y"];
    expect(header).toEqual(["id", ...RESULTS, "reason", "error", "attempts", "deadLetter", ...fields]);
    const about = ["r/0/2", "", "", "", "", ...PERMANENT, "1", "message-1"];
    expect(rows).toEqual([
      [...about, "3", "'=a", "[1]", ""],
      [...about, "12345678901234567890", "", "", ""],
    ]);
  });

  test("have a failed item as JSON if not every item is an object", async () => {
    const { header, rows } = await failedRows([], { city: 3 }, "b");
    expect(header).toEqual(["id", ...RESULTS, "reason", "error", "attempts", "deadLetter", "item"]);
    expect(rows.map((row) => row.at(-1))).toEqual(['{"city":3}', '"b"']);
  });

  test("have a failed item and its attempts in the columns of the results, if the results have such columns", async () => {
    const { header, rows } = await failedRows(["item", "attempts"], { city: 3 });
    expect(header).toEqual(["id", "item", "attempts", ...RESULTS, "reason", "error", "deadLetter"]);
    expect(rows).toEqual([["r/0/2", '{"city":3}', "1", "", "", "", "", ...PERMANENT, "message-1"]]);
  });

  test("know if an item has fields that were not learnt", () => {
    const columns = new FailedColumns([]);
    columns.learn({ city: 3 });
    columns.cells({ ...FAILED, item: { city: 4 } });
    expect(columns.hasOthers).toBe(false);
    columns.cells({ ...FAILED, item: { city: 4, name: "a" } });
    expect(columns.hasOthers).toBe(true);
  });
});
