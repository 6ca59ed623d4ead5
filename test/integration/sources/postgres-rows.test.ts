import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type PostgresRowsOptions, postgresRows, UnreadableItem } from "../../../shared/sources/index.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { hasPostgres, startTestPostgres, type TestPostgres } from "../../helpers/postgres.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";
import { itemsOf, never, pagesOf, readContext, restartable } from "../../unit/sources/reading.ts";

describe.skipIf(!hasPostgres)("postgresRows", () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(async () => {
    await postgres?.close();
    vi.unstubAllEnvs();
  });

  const rows = (options: Omit<PostgresRowsOptions, "connect">, connect = {}) =>
    postgresRows({ ...options, connect: { ...postgres.connect, ...connect } } as PostgresRowsOptions);

  test("reads each row once, in the order of the key, from each cursor", async () => {
    await postgres.run(
      "create table numbers (id int primary key); insert into numbers select generate_series(1, 1001)",
    );
    const pages = await restartable(() => rows({ table: "numbers", key: "id" }));
    expect(pages).toHaveLength(6);
    expect(pages.flatMap(({ items }) => items)).toEqual(
      Array.from({ length: 1_001 }, (_, index) => ({ id: index + 1 })),
    );
    expect(pages[0]?.next).toEqual({ after: ["200"] });
  });

  test("the size is what the statistics say, and unknown for a query", async () => {
    await postgres.run("create table sized (id int primary key); insert into sized select generate_series(1, 500)");
    expect(await rows({ table: "sized", key: "id" }).size?.(readContext())).toBeUndefined();
    await postgres.run("analyze sized");
    expect(await rows({ table: "sized", key: "id" }).size?.(readContext())).toEqual({ items: 500, isExact: false });
    expect(await rows({ query: "select id from sized", key: "id" }).size?.(readContext())).toBeUndefined();
  });

  test("a table of exactly one page, and an empty one, have one page", async () => {
    await postgres.run("create table exact (id int primary key); insert into exact select generate_series(1, 200)");
    expect(await pagesOf(rows({ table: "exact", key: "id" }))).toHaveLength(1);
    await postgres.run("truncate exact");
    expect(await pagesOf(rows({ table: "exact", key: "id" }))).toEqual([{ items: [] }]);
  });

  test("keeps every value exactly", async () => {
    await postgres.run(`
      create table kinds (id int primary key, i8 bigint, n numeric, f8 float8, f4 real, b bool, t text, c char(4), bytes bytea,
        u uuid, d date, ti time, ts timestamp, tz timestamptz, iv interval, j json, jb jsonb, ints int[], texts text[],
        stamps timestamptz[], nothing text);
      insert into kinds values (1, 9007199254740991, 12345678901234567890.123456789000, 0.1, 0.1, true, 'ü😀"', 'ab', '\\x00ff',
        'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '2026-11-28', '01:02:03.000004', '2026-11-28 01:02:03.123456',
        '2026-11-28 01:02:03.123456+05:30', '1 day 02:00:00.000001', '{"a": [1, 1.5]}', '{"b": null}', '{1,NULL,3}',
        '{"a,b","c\\\\d",NULL,"NULL",""}', '{"2026-11-28 01:02:03.5+00"}', null)`);
    expect(await itemsOf(rows({ table: "kinds", key: "id" }))).toEqual([
      {
        id: 1,
        i8: 9_007_199_254_740_991,
        n: "12345678901234567890.123456789000",
        f8: 0.1,
        f4: 0.1,
        b: true,
        t: 'ü😀"',
        c: "ab  ",
        bytes: "AP8=",
        u: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        d: "2026-11-28",
        ti: "01:02:03.000004",
        ts: "2026-11-28 01:02:03.123456",
        tz: "2026-11-27 19:32:03.123456+00",
        iv: "P1DT2H0.000001S",
        j: { a: [1, 1.5] },
        jb: { b: null },
        ints: [1, null, 3],
        texts: ["a,b", "c\\d", null, "NULL", ""],
        stamps: ["2026-11-28 01:02:03.5+00"],
        nothing: null,
      },
    ]);
    const [texts] = await itemsOf(
      rows({ table: "kinds", key: "id", json: "text", arrays: "text", unsafeNumbers: "text" }),
    );
    expect(texts).toMatchObject({
      i8: "9007199254740991",
      j: '{"a": [1, 1.5]}',
      jb: '{"b": null}',
      ints: "{1,NULL,3}",
    });
  });

  test("keeps floats that JSON cannot hold as texts, and handles unsafe integers as unsafeNumbers says", async () => {
    await postgres.run(`
      create table edges (id bigint primary key, f float8);
      insert into edges values (1, 'NaN'), (2, 'Infinity'), (3, '-Infinity'), (4, '-0'), (9007199254740993, 5e-324)`);
    const items = await itemsOf(rows({ table: "edges", key: "id" }));
    expect(items.slice(0, 4)).toEqual([
      { id: 1, f: "NaN" },
      { id: 2, f: "Infinity" },
      { id: 3, f: "-Infinity" },
      { id: 4, f: "-0" },
    ]);
    expect(items[4]).toBeInstanceOf(UnreadableItem);
    expect(items[4]).toMatchObject({
      raw: '["9007199254740993","5e-324","9007199254740993"]',
      at: 'the row of the table edges with id = "9007199254740993"',
    });
    const exact = await itemsOf(rows({ table: "edges", key: "id", unsafeNumbers: "bigint" }));
    expect(exact[4]).toEqual({ id: 9_007_199_254_740_993n, f: 5e-324 });
    expect((await itemsOf(rows({ table: "edges", key: "id", unsafeNumbers: "text" })))[0]).toEqual({
      id: "1",
      f: "NaN",
    });
  });

  const SHORT_PAGES = { pageSize: 2 };

  /** Keys whose order and exact texts differ between databases and JavaScript. Each list is in the database's order. */
  const KEYS: readonly { readonly type: string; readonly values: readonly string[] }[] = [
    {
      type: "uuid",
      values: [
        "00000000-0000-0000-0000-000000000001",
        "a0000000-0000-0000-0000-000000000000",
        "ffffffff-0000-0000-0000-000000000000",
      ],
    },
    {
      type: "bigint",
      values: ["-9223372036854775808", "-1", "9", "10", "9007199254740992", "9007199254740993", "9223372036854775807"],
    },
    { type: "numeric", values: ["-1e30", "0.10", "0.100000000000000000001", "9", "10", "NaN"] },
    { type: "float8", values: ["-Infinity", "-1", "5e-324", "0.1", "0.30000000000000004", "1e308", "Infinity", "NaN"] },
    { type: "real", values: ["0.1", "0.10000001", "16777216", "1e38"] },
    {
      type: "timestamp",
      values: [
        "-infinity",
        "0044-03-15 12:00:00 BC",
        "2026-11-28 01:02:03.123456",
        "2026-11-28 01:02:03.123457",
        "infinity",
      ],
    },
    {
      type: "timestamptz",
      values: ["2026-11-28 01:02:03.123456+00", "2026-11-28 01:02:03.123457+00", "2026-11-28 06:02:03.123456+00"],
    },
    { type: "date", values: ["0044-03-15 BC", "2026-11-28", "10000-01-01"] },
    { type: "interval", values: ["-1 day", "1 second", "25 hours", "1 mon"] },
    { type: 'text collate "C"', values: ["A", "B", "a", "b", "é", "\u{ffff}", "😀"] },
    { type: 'text collate "en-x-icu"', values: ["a", "A", "á", "b", "B", "z"] },
    { type: "char(3)", values: ["a", "b", "c"] },
    { type: "bytea", values: ["\\x00", "\\x0001", "\\x7f", "\\xff"] },
    { type: "bool", values: ["false", "true"] },
    { type: "inet", values: ["10.0.0.1", "10.0.0.2", "192.168.0.0/16"] },
    { type: "jsonb", values: ['"a"', "1", "2.50", "true", '{"a": 1}'] },
    { type: "int[]", values: ["{1,2}", "{1,10}", "{2}"] },
  ];

  test.each(KEYS)("a cursor is exact for a key of the type $type", async ({ type, values }) => {
    await postgres.run(`drop table if exists k; create table k (k ${type} primary key, position int)`);
    // In another order than that of the key.
    for (const [position, value] of [...values.entries()].toReversed()) {
      await postgres.run(`insert into k values ('${value}', ${position})`);
    }
    const pages = await restartable(() => rows({ table: "k", key: "k", unsafeNumbers: "text", pageSize: 1 }));
    expect(pages.flatMap(({ items }) => items).map((item) => item.position)).toEqual(
      values.map((_, position) => position),
    );
  });

  test("a composite key is compared as a whole, also with an enum, a domain and odd names", async () => {
    await postgres.run(`
      create type mood as enum ('sad', 'ok', 'happy');
      create domain code as varchar(5);
      create schema "Odd schema";
      create table "Odd schema"."a ""b"" ;--" ("Käy 1" mood, "select" code, n int, primary key ("Käy 1", "select", n));
      insert into "Odd schema"."a ""b"" ;--" select m::mood, c, n from unnest('{happy,ok,sad}'::text[]) m, unnest('{b,a}'::text[]) c,
        generate_series(1, 3) n`);
    const options = { table: ["Odd schema", 'a "b" ;--'], key: ["Käy 1", "select", "n"] } as const;
    const pages = await restartable(() => rows({ ...options, ...SHORT_PAGES }));
    const items = pages.flatMap((page) => page.items);
    const expected = ["sad", "ok", "happy"].flatMap((mood) =>
      ["a", "b"].flatMap((code) => [1, 2, 3].map((n) => ({ "Käy 1": mood, select: code, n }))),
    );
    expect(items).toEqual(expected);
  });

  test("reads a query, and a comment at its end hides nothing", async () => {
    const query = "select id * 2 as double, 'x' as text from numbers where id <= 5 -- the first five";
    expect(await itemsOf(rows({ query, key: "double", ...SHORT_PAGES }))).toEqual(
      [2, 4, 6, 8, 10].map((double) => ({ double, text: "x" })),
    );
    await expect(itemsOf(rows({ query: "select 1 as a, 2 as a, 3 as k", key: "k" }))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringContaining('two columns have the name "a": give one of them another name with as'),
    });
  });

  describe("a key that is not unique", () => {
    const refused = { permanent: true, message: expect.stringContaining("is not unique") };
    test("is refused in the middle of a page and between two pages, also with equal keys of different texts", async () => {
      await postgres.run("create table n (k numeric, id int); insert into n values (1, 1), (2, 2), (2.00, 3), (3, 4)");
      await expect(pagesOf(rows({ table: "n", key: "k" }))).rejects.toMatchObject(refused);
      await expect(pagesOf(rows({ table: "n", key: "k", pageSize: 1 }))).rejects.toMatchObject(refused);
      await expect(pagesOf(rows({ table: "n", key: "k", pageSize: 2 }))).rejects.toMatchObject(refused);
      expect(await itemsOf(rows({ table: "n", key: ["k", "id"], pageSize: 2 }))).toHaveLength(4);
    });

    test("is refused if an index makes it unique by another collation only", async () => {
      await postgres.run(`
        create collation if not exists ignoring (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        create table c (k text collate ignoring not null);
        create unique index on c (k collate "C");
        insert into c values ('a'), ('b'), ('B')`);
      await expect(pagesOf(rows({ table: "c", key: "k", pageSize: 1 }))).rejects.toMatchObject(refused);
    });

    test("is refused in tables that inherit, and if the unique index is partial", async () => {
      await postgres.run(`
        create table parent (k int primary key); create table child () inherits (parent);
        insert into parent values (1), (2); insert into child values (2);
        create table partly (k int not null, old bool); create unique index on partly (k) where not old;
        insert into partly values (1, false), (1, true)`);
      await expect(pagesOf(rows({ table: "parent", key: "k" }))).rejects.toMatchObject(refused);
      await expect(pagesOf(rows({ table: "partly", key: "k" }))).rejects.toMatchObject(refused);
    });
  });

  test("a key with a null is refused, in each of its columns", async () => {
    await postgres.run("create table nulls (a int, b int, unique (a, b)); insert into nulls values (1, 1), (1, null)");
    const refused = {
      permanent: true,
      message: expect.stringContaining("the key (a, b) of the table nulls is null in a row"),
    };
    await expect(pagesOf(rows({ table: "nulls", key: ["a", "b"] }))).rejects.toMatchObject(refused);
    await postgres.run("delete from nulls where b is null");
    expect(await itemsOf(rows({ table: "nulls", key: ["a", "b"] }))).toEqual([{ a: 1, b: 1 }]);
  });

  test("warns of a key without an index, once", async () => {
    await postgres.run(
      "create table slow (a int not null, b int not null); insert into slow values (1, 1), (1, 2), (2, 1)",
    );
    const warnings: string[] = [];
    await pagesOf(rows({ table: "slow", key: ["a", "b"], pageSize: 1 }), undefined, undefined, warnings);
    expect(warnings).toEqual([
      "the table slow has no index that begins with its key (a, b): each page sorts the whole table",
    ]);
    await postgres.run("create index on slow (a, b)");
    await pagesOf(rows({ table: "slow", key: ["a", "b"] }), undefined, undefined, warnings);
    expect(warnings).toHaveLength(1);
  });

  test("names what is wrong: table, column, right, database, query", async () => {
    const permanent = (message: string) => ({ permanent: true, message: expect.stringContaining(message) });
    await expect(pagesOf(rows({ table: "none", key: "id" }))).rejects.toMatchObject(
      permanent("the table none does not exist: correct the option table"),
    );
    await expect(pagesOf(rows({ table: "numbers", key: "ID" }))).rejects.toMatchObject(
      permanent("the table numbers has no column ID: correct the option key. It has id"),
    );
    await expect(pagesOf(rows({ query: "selec 1", key: "id" }))).rejects.toMatchObject(
      permanent("Correct the option query"),
    );
    await expect(pagesOf(rows({ query: "select 1 as a", key: "id" }))).rejects.toMatchObject(
      permanent("Correct the option key"),
    );
    await expect(pagesOf(rows({ table: "numbers", key: "id" }, { database: "nowhere" }))).rejects.toMatchObject(
      permanent("Correct the name of the database in connect"),
    );
    await postgres.run("create role nobody login password 'secret'");
    await expect(
      pagesOf(rows({ table: "numbers", key: "id" }, { user: "nobody", password: () => "secret", host: "127.0.0.1" })),
    ).rejects.toMatchObject(permanent("grant select on TABLE to USER"));
  });

  test("only reads: a query that writes is refused, and a function that writes, too", async () => {
    await postgres.run(
      `create function writes() returns int language sql as 'insert into numbers values (5000) returning id'`,
    );
    await expect(pagesOf(rows({ query: "select writes() as id", key: "id" }))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringContaining("read-only transaction"),
    });
  });

  test("ends a page that takes too long, and says how to fix it", async () => {
    const source = rows({
      query: "select 1 as id, pg_sleep(60)::text as slept",
      key: "id",
      statementTimeout: { seconds: 1 },
    });
    await expect(pagesOf(source)).rejects.toThrow(
      /statement timeout.*make an index on exactly the columns of the key, \(id\)/,
    );
  });

  test("stops at once when its signal fires, and leaves no connection behind", async () => {
    const stop = new AbortController();
    const reading = pagesOf(
      rows({ query: "select 1 as id, pg_sleep(2)::text as slept", key: "id" }),
      undefined,
      stop.signal,
    );
    await vi.waitUntil(async () => (await sessions()).includes("active"), { ...PATIENTLY, interval: 20 });
    stop.abort(new Error("stopped"));
    await expect(reading).rejects.toThrow("stopped");
    await vi.waitUntil(async () => (await sessions()).length === 0, { ...PATIENTLY, interval: 50 });
  });

  test("between two pages, the connection holds no transaction", async () => {
    const pages = rows({ table: "numbers", key: "id" }).pages(undefined, readContext())[Symbol.asyncIterator]();
    await pages.next();
    expect(await sessions()).toEqual(["idle"]);
    await pages.return?.();
    await vi.waitUntil(async () => (await sessions()).length === 0, { ...PATIENTLY, interval: 20 });
  });

  async function sessions(): Promise<readonly string[]> {
    const states = rows({
      query: "select pid, state from pg_stat_activity where application_name = 'sluice' and pid <> pg_backend_pid()",
      key: "pid",
    });
    return (await itemsOf(states)).map(({ state }) => String(state));
  }

  describe("partitions", () => {
    const partitionsOf = async (options: Omit<PostgresRowsOptions, "connect">) =>
      (await rows(options).partitions?.({ signal: never, warn: () => {} })) ?? [];
    const readAll = async (options: Omit<PostgresRowsOptions, "connect">) => {
      const partitions = await partitionsOf(options);
      return await Promise.all(partitions.map(({ cursor }) => itemsOf(rows(options), cursor)));
    };

    test("cover a skewed table exactly, and are about equally large", async () => {
      await postgres.run(`
        create table skewed (tenant text collate "en-x-icu", id int, primary key (tenant, id));
        insert into skewed select case when n % 20 = 0 then 'Ten ' || n else 'ten' end, n * n % 1000003 from generate_series(1, 20000) n
          on conflict do nothing;
        analyze skewed`);
      const options = { table: "skewed", key: ["tenant", "id"], partitions: 8 } as const;
      const read = await readAll(options);
      expect(read).toHaveLength(8);
      expect(read.flat()).toEqual(await itemsOf(rows(options)));
      for (const part of read) expect(part.length).toBeGreaterThan(1_000);
    });

    test("come from parts of a partitioned table, too", async () => {
      await postgres.run(`
        create table parted (id int primary key) partition by hash (id);
        create table parted_0 partition of parted for values with (modulus 2, remainder 0);
        create table parted_1 partition of parted for values with (modulus 2, remainder 1);
        insert into parted select generate_series(1, 5000)`);
      const read = await readAll({ table: "parted", key: "id", partitions: 3 });
      expect(read).toHaveLength(3);
      expect(read.flat()).toEqual(Array.from({ length: 5_000 }, (_, index) => ({ id: index + 1 })));
    });

    test("a small table, an empty one, a view and a query are not divided", async () => {
      await postgres.run("create view seen as select id from numbers; create table empty (id int primary key)");
      const whole = [{ id: "0", cursor: {} }];
      expect(await partitionsOf({ table: "numbers", key: "id" })).toEqual(whole);
      expect(await partitionsOf({ table: "empty", key: "id", partitions: 4 })).toEqual(whole);
      expect(await partitionsOf({ table: "seen", key: "id", partitions: 4 })).toEqual(whole);
      expect(await partitionsOf({ query: "select id from numbers", key: "id", partitions: 4 })).toEqual(whole);
      expect((await readAll({ table: "seen", key: "id", partitions: 4 })).flat()).toHaveLength(1_001);
    });

    test("refuse a key with a null", async () => {
      await postgres.run(
        "create table nullish (a int unique); insert into nullish select generate_series(1, 5000); insert into nullish values (null)",
      );
      await expect(partitionsOf({ table: "nullish", key: "a", partitions: 3 })).rejects.toThrow("is null in a row");
    });
  });

  describe("TLS and log-in", () => {
    const over = (connect: Partial<PostgresRowsOptions["connect"]>) =>
      postgresRows({ table: "numbers", key: "id", connect: connect as PostgresRowsOptions["connect"] });
    const server = () => ({ host: "127.0.0.1", port: postgres.port, database: "postgres" });

    test("a certificate that nobody has signed is refused, and accepted with its authorities", async () => {
      const connect = { ...server(), user: "bench", tls: "verify" } as const;
      await expect(pagesOf(over(connect))).rejects.toThrow("Set connect.tls to { ca:");
      using directory = temporaryDirectory();
      const ca = join(directory.path, "ca.pem");
      writeFileSync(ca, postgres.certificate);
      expect(await itemsOf(over({ ...connect, tls: { ca } }))).toHaveLength(1_001);
      await expect(pagesOf(over({ ...connect, host: "localhost", tls: { ca } }))).rejects.toThrow(
        /does not match certificate|altnames/i,
      );
    });

    test("a wrong password is named, and the password is not shown", async () => {
      await postgres.run("create role reader login password 'correct'; grant select on numbers to reader");
      const url = (password: string) => () => `postgres://reader:${password}@127.0.0.1:${postgres.port}/postgres`;
      await expect(pagesOf(over({ url: url("wrong") }))).rejects.toThrow(
        "Correct the user and the password in connect",
      );
      await expect(pagesOf(over({ url: url("wrong") }))).rejects.not.toThrow("wrong");
      expect(await itemsOf(over({ url: url("correct") }))).toHaveLength(1_001);
    });

    test("a server that is not there is named", async () => {
      await expect(pagesOf(over({ ...server(), port: 1, user: "bench" }))).rejects.toThrow(
        /cannot read the table numbers \(the database postgres at 127.0.0.1\).*Check the host and the port/,
      );
    });
  });
});
