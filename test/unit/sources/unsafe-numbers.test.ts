import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigurationError, SourceError } from "../../../shared/base/errors.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import {
  type Cursor,
  cursorField,
  fileLines,
  httpPages,
  type JsonObject,
  lastItem,
  type Pagination,
  singlePage,
  UnreadableItem,
  type UnsafeNumbers,
} from "../../../shared/sources/index.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";
import { serve } from "./loopback.ts";
import { itemsOf } from "./reading.ts";

/** Two ids that are one number in JavaScript. */
const IDS = ["12345678901234567", "12345678901234568"] as const;

describe("fileLines, JSON Lines", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "unsafe-numbers-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const read = async (unsafeNumbers?: UnsafeNumbers) => {
    const path = join(directory, "ids.jsonl");
    await writeFile(path, `{"id":${IDS[0]}}\n{"id":${IDS[1]}}\n{"id":3}\n`);
    return await itemsOf(fileLines(path, { format: "jsonl", ...(unsafeNumbers && { unsafeNumbers }) }));
  };

  it("refuses a line with a number that JavaScript would round, with its text and the option", async () => {
    const [first, second, third] = await read();
    expect(first).toBeInstanceOf(UnreadableItem);
    expect(first).toMatchObject({
      raw: `{"id":${IDS[0]}}`,
      error: `"id" is ${IDS[0]}, which JavaScript would round: set unsafeNumbers to "text" or "bigint" to keep it`,
    });
    expect(second).toMatchObject({ raw: `{"id":${IDS[1]}}` });
    expect(third).toEqual({ id: 3 });
  });

  it("keeps the number as text, or as a bigint", async () => {
    expect(await read("text")).toEqual([{ id: IDS[0] }, { id: IDS[1] }, { id: 3 }]);
    expect(await read("bigint")).toEqual([{ id: BigInt(IDS[0]) }, { id: BigInt(IDS[1]) }, { id: 3 }]);
  });
});

describe("httpPages", () => {
  const page = async (body: string, unsafeNumbers?: UnsafeNumbers) => {
    const { origin } = await serve(() => ({ body }));
    const options = { url: `${origin}/users?key=secret`, items: "data", next: singlePage };
    return await itemsOf(httpPages({ ...options, ...(unsafeNumbers && { unsafeNumbers }) }));
  };

  it("refuses only the item with the number, and ignores such a number outside the items", async () => {
    const [first, second] = await page(`{"total":1e400,"data":[{"user":{"id":${IDS[0]}}},{"user":{"id":2}}]}`);
    expect(first).toBeInstanceOf(UnreadableItem);
    expect(first).toMatchObject({
      raw: `{"user":{"id":${IDS[0]}}}`,
      error: expect.stringContaining(`"id" is ${IDS[0]}, which JavaScript would round`),
      at: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/users, item 1 of its page$/),
    });
    expect(second).toEqual({ user: { id: 2 } });
  });

  it("keeps the number as text, or as a bigint, and refuses other numbers than integers", async () => {
    const body = `{"data":[{"id":${IDS[0]}},{"id":${IDS[1]}},{"size":1e400}]}`;
    expect(await page(body, "text")).toEqual([{ id: IDS[0] }, { id: IDS[1] }, { size: "1e400" }]);
    const [first, second, third] = await page(body, "bigint");
    expect([first, second]).toEqual([{ id: BigInt(IDS[0]) }, { id: BigInt(IDS[1]) }]);
    expect(third).toMatchObject({
      raw: '{"size":1e400}',
      error: expect.stringContaining('set unsafeNumbers to "text"'),
    });
  });

  /** Two pages. `next` leads to the second. */
  async function requestsOf(next: Pagination, unsafeNumbers?: UnsafeNumbers, body?: JsonObject) {
    let pages = 0;
    const { origin, requests } = await serve(() =>
      pages++ === 0
        ? { body: `{"next":${IDS[0]},"data":[{"id":1,"sort":["a",${IDS[1]}]}]}` }
        : { body: '{"next":null,"data":[]}' },
    );
    const options = { url: `${origin}/users`, items: "data", next, ...(body && { body }) };
    await itemsOf(httpPages({ ...options, ...(unsafeNumbers && { unsafeNumbers }) }));
    return requests.slice(1).map(({ url, body }) => `${url.search}${body}`);
  }

  const styles = [
    ["a parameter of the query", cursorField({ path: "next", parameter: "after" }), undefined],
    ["a field of the body", cursorField({ path: "next", parameter: { body: "after" } }), { exact: 12345678901234569n }],
    ["a list", lastItem({ path: "sort", parameter: { body: "search_after" } }), {}],
  ] as const;

  it.each(styles)("refuses a cursor that JavaScript would round, for %s", async (_, next, body) => {
    const reading = requestsOf(next, undefined, body);
    await expect(reading).rejects.toThrow(SourceError);
    await expect(reading).rejects.toMatchObject({ permanent: true });
    await expect(reading).rejects.toThrow(/1234567890123456[78], which JavaScript would alter: set unsafeNumbers/);
  });

  it("sends a cursor back with all its digits", async () => {
    const [[, query], [, field, body], [, list]] = styles;
    expect(await requestsOf(query, "text")).toEqual([`?after=${IDS[0]}`]);
    expect(await requestsOf(query, "bigint")).toEqual([`?after=${IDS[0]}`]);
    expect(await requestsOf(field, "text", body)).toEqual([`{"exact":12345678901234569,"after":"${IDS[0]}"}`]);
    expect(await requestsOf(field, "bigint", body)).toEqual([`{"exact":12345678901234569,"after":${IDS[0]}}`]);
    expect(await requestsOf(list, "bigint", {})).toEqual([`{"search_after":["a",${IDS[1]}]}`]);
  });

  it.each([["strings"], [null], [true]])("refuses the option %j", (unsafeNumbers) => {
    const options = { url: "http://a", next: singlePage, unsafeNumbers: unsafeNumbers as UnsafeNumbers };
    expect(() => httpPages(options)).toThrow(ConfigurationError);
    expect(() => httpPages(options)).toThrow(/unsafeNumbers must be "refuse", "text", "bigint", but is/);
    expect(() => fileLines("a", { format: "jsonl", unsafeNumbers: unsafeNumbers as UnsafeNumbers })).toThrow(
      ConfigurationError,
    );
  });
});

it("a cursor with bigints is unchanged after the ledger has stored it", async () => {
  const cursor: Cursor = { after: [12345678901234567n, 5n, 5, "a"] };
  const runs = new Ledger(new MemoryStore()).runs;
  const run = await runs.create({ id: "r", workflow: "w", requestedAt: "2026-11-27T08:00:00.000Z" });
  await runs.progress.checkpoint(run, { cursor, skip: 0, pages: 1, items: 1, ended: false });
  expect((await runs.get("r")).checkpoint.cursor).toEqual(cursor);
  const place = { cursor, skip: 0, pages: 1, items: 1, ended: false, missing: 0 };
  await runs.resends.record(await runs.get("r"), place, true);
  expect((await runs.get("r")).resend).toEqual(place);
});
