import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SqliteRowsOptions, sqliteRows, UnreadableItem } from "../../../shared/sources/index.ts";
import { seeds } from "../../helpers/seeds.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";
import { itemsOf, pagesOf, readContext, restartable } from "./reading.ts";

/** Makes a database file from statements, and a source of it. */
function database(statements: string) {
  const directory = temporaryDirectory();
  const file = join(directory.path, "shop.db");
  const open = new DatabaseSync(file);
  open.exec(`pragma synchronous = off; begin; ${statements}; commit`);
  open.close();
  return {
    file,
    rows: (options: Omit<SqliteRowsOptions, "file">) => sqliteRows({ ...options, file } as SqliteRowsOptions),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

const counting = (count: number) =>
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) select i from n`;

test("sqliteRows reads each row once, in the order of the key, from each cursor", async () => {
  using shop = database(
    `create table orders (id integer primary key, name text); insert into orders select i, 'n' || i from (${counting(450)})`,
  );
  const pages = await restartable(() => shop.rows({ table: "orders", key: "id" }));
  expect(pages.map(({ items }) => items.length)).toEqual([200, 200, 50]);
  expect(pages.flatMap(({ items }) => items)[449]).toEqual({ id: 450, name: "n450" });
  expect(pages[0]?.next).toEqual({ after: [{ integer: "200" }] });
});

test("sqliteRows counts the rows of a table and of a query", async () => {
  using shop = database(`create table orders (id integer primary key); insert into orders ${counting(45)}`);
  expect(await shop.rows({ table: "orders", key: "id" }).size?.(readContext())).toEqual({ items: 45, isExact: true });
  const query = "select id from orders where id > 40 -- the newest";
  expect(await shop.rows({ query, key: "id" }).size?.(readContext())).toEqual({ items: 5, isExact: true });
  await expect(shop.rows({ table: "none", key: "id" }).size?.(readContext())).rejects.toThrow("no such table: none");
});

test("sqliteRows keeps values, and each storage class of a key", async () => {
  using shop = database(`
    create table mixed (k primary key, v);
    insert into mixed values (-9223372036854775808, 1), (0.5, 1e999), (2, x'00ff'), ('10', 'ü😀'), ('9', null), (x'00', 1.5)`);
  const pages = await restartable(() => shop.rows({ table: "mixed", key: "k", pageSize: 1, unsafeNumbers: "text" }));
  expect(pages.flatMap(({ items }) => items)).toEqual([
    { k: "-9223372036854775808", v: 1 },
    { k: 0.5, v: "Infinity" },
    { k: 2, v: "AP8=" },
    { k: "10", v: "ü😀" },
    { k: "9", v: null },
    { k: "AA==", v: 1.5 },
  ]);
});

test("sqliteRows handles unsafe integers as unsafeNumbers says", async () => {
  using shop = database("create table big (id integer primary key); insert into big values (9007199254740993)");
  const [refused] = await itemsOf(shop.rows({ table: "big", key: "id" }));
  expect(refused).toBeInstanceOf(UnreadableItem);
  expect(refused).toMatchObject({ at: "the row of the table big with id = 9007199254740993" });
  expect(await itemsOf(shop.rows({ table: "big", key: "id", unsafeNumbers: "bigint" }))).toEqual([
    { id: 9_007_199_254_740_993n },
  ]);
});

test("sqliteRows compares keys with the collation of their column, and composite keys as a whole", async () => {
  using shop = database(`
    create table t (name text collate nocase, n int, "odd "" name" int, primary key (name, n));
    insert into t values ('b', 1, 1), ('A', 2, 2), ('a', 1, 3), ('B', 2, 4), ('C', 1, 5)`);
  const pages = await restartable(() => shop.rows({ table: ["main", "t"], key: ["name", "n"], pageSize: 1 }));
  expect(pages.flatMap(({ items }) => items).map((item) => item['odd " name'])).toEqual([3, 2, 1, 4, 5]);
});

test("sqliteRows refuses a key that is not unique, and one that is null", async () => {
  using shop = database(`
    create table t (k text collate nocase, n int); insert into t values ('a', 1), ('b', 2), ('B', 3), ('c', 4);
    create table u (k int unique); insert into u values (1), (null)`);
  for (const pageSize of [1, 2, 200]) {
    await expect(pagesOf(shop.rows({ table: "t", key: "k", pageSize }))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringContaining("the key (k) of the table t is not unique"),
    });
  }
  await expect(pagesOf(shop.rows({ table: "u", key: "k" }))).rejects.toMatchObject({
    permanent: true,
    message: expect.stringContaining("the key (k) of the table u is null in a row"),
  });
});

test("sqliteRows reads a query, and names what is wrong", async () => {
  using shop = database("create table t (id integer primary key); insert into t values (1), (2), (3)");
  expect(await itemsOf(shop.rows({ query: "select id * 2 as n from t -- all", key: "n", pageSize: 2 }))).toEqual([
    { n: 2 },
    { n: 4 },
    { n: 6 },
  ]);
  const refused = async (options: Omit<SqliteRowsOptions, "file">, message: string) =>
    await expect(pagesOf(shop.rows(options))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringContaining(message),
    });
  await refused({ table: "none", key: "id" }, "no such table: none. Correct the options file, table, query and key");
  await refused({ table: "t", key: "ID2" }, "no such column: t.ID2");
  await refused({ query: "delete from t", key: "id" }, "syntax error");
  const missing = sqliteRows({ file: "no/such.db", table: "t", key: "id" });
  await expect(pagesOf(missing)).rejects.toThrow("Correct the option file");
});

test("sqliteRows packs its file, and refuses wrong options", () => {
  expect(sqliteRows({ file: ({ DB = "" }) => DB, table: "t", key: "id" }).files?.({ DB: "data/a.db" })).toEqual([
    "data/a.db",
  ]);
  const wrong = (options: unknown) => () => sqliteRows(options as SqliteRowsOptions);
  expect(wrong({ file: "a", table: "t", query: "q", key: "id" })).toThrow("needs either table or query, but has both");
  expect(wrong({ file: "a", key: "id" })).toThrow("needs either table or query, but has neither");
  expect(wrong({ file: "a", table: "t" })).toThrow("key must be the name of a column");
  expect(wrong({ file: "a", table: "t", key: [] })).toThrow("key must be the name of a column");
  expect(wrong({ file: "a", table: "t", key: ["a", "a"] })).toThrow("a list of different names");
  expect(wrong({ file: "a", table: ["a", "b", "c"], key: "id" })).toThrow("table must be a name");
  expect(wrong({ file: "a", query: "select 1; ", key: "id" })).toThrow("without a semicolon at its end");
  expect(wrong({ file: "", table: "t", key: "id" })).toThrow("file must be the path");
  expect(wrong({ file: "a", table: "t", key: "id", pageSize: 201 })).toThrow("pageSize");
  expect(wrong({ file: "a", table: "t", key: "id", page: 1 })).toThrow('unknown option "page"');
});

test("sqliteRows refuses a cursor of another key", async () => {
  using shop = database("create table t (a int, b int)");
  await expect(pagesOf(shop.rows({ table: "t", key: ["a", "b"] }), { after: [{ integer: "1" }] })).rejects.toThrow(
    "does not come from sqliteRows(...) with the key (a, b)",
  );
});

describe("the pages of any table", () => {
  const value = fc.oneof(
    fc.integer({ min: -3, max: 3 }).map(String),
    fc.constantFrom("0.5", "-1.25", "'a'", "'A'", "'b'", "'1'", "x'61'", "9223372036854775807"),
  );
  test("have each row once, whatever the values of the key are", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(value, value), { maxLength: 12, selector: ([a, b]) => `${a}|${b}` }),
        fc.integer({ min: 1, max: 4 }),
        async (keys, pageSize) => {
          const inserts = keys.map(([x, y], n) => `insert into t values (${x}, ${y}, ${n})`);
          using shop = database(["create table t (a, b, n int)", ...inserts].join("; "));
          const items = (
            await restartable(() => shop.rows({ table: "t", key: ["a", "b"], pageSize, unsafeNumbers: "text" }))
          ).flatMap((page) => page.items);
          expect(items.map(({ n }) => Number(n)).toSorted((x, y) => x - y)).toEqual(keys.map((_, n) => n));
        },
      ),
      { numRuns: seeds(60) },
    );
  });
});
