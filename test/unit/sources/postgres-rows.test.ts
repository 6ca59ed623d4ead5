import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PostgresRowsOptions, postgresRows } from "../../../shared/sources/index.ts";
import { parseArray } from "../../../shared/sources/postgres-arrays.ts";
import { connectionParameters, type PostgresConnect } from "../../../shared/sources/postgres-connect.ts";
import { quote } from "../../../shared/sources/sql-options.ts";
import { pageStatement } from "../../../shared/sources/sql-statements.ts";

const URL = "postgres://reader:p%40ss@db.example:6543/shop";
const ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/reader-a1B2c3";

describe("connect", () => {
  const of = (connect: PostgresConnect, environment = {}, secret?: string) =>
    connectionParameters(connect, environment, secret);

  test("reads a URL from the environment", () => {
    const connect = { url: ({ DATABASE_URL = "" }: Record<string, string | undefined>) => DATABASE_URL };
    const expected = {
      host: "db.example",
      port: 6543,
      database: "shop",
      user: "reader",
      password: "p@ss",
      tls: "verify",
    };
    expect(of(connect, { DATABASE_URL: URL })).toEqual(expected);
    expect(of(connect, { DATABASE_URL: `${URL}?sslmode=require` })).toEqual(expected);
    expect(of(connect, { DATABASE_URL: `${URL}?sslmode=disable` })).toEqual({ ...expected, tls: "disable" });
    expect(of({ ...connect, tls: { ca: "rds.pem" } }, { DATABASE_URL: URL }).tls).toEqual({ ca: "rds.pem" });
    expect(() => of(connect)).toThrow("the function connect.url returned no text: name the variable");
  });

  test("never shows a password", () => {
    for (const url of [
      "mysql://a:hunter2@h/d",
      "postgres://a:hunter2%@h/d",
      "postgres://a:hunter2@h/d?sslmode=prefer",
      "a:hunter2@h",
    ]) {
      expect(() => of({ url: () => url })).toThrow(/URL/);
      expect(() => of({ url: () => url })).not.toThrow("hunter2");
    }
    expect(() => of({ secret: ARN }, {}, "hunter2")).toThrow("the secret is not a JSON object");
    expect(() => of({ secret: ARN }, {}, "hunter2")).not.toThrow("hunter2");
  });

  test("takes user and password from a secret, and what RDS leaves out from connect", () => {
    const managed = '{"username":"reader","password":"x"}';
    expect(of({ secret: ARN, host: "db.example", database: "shop" }, {}, managed)).toEqual({
      host: "db.example",
      port: 5432,
      database: "shop",
      user: "reader",
      password: "x",
      tls: "verify",
    });
    const whole = '{"engine":"postgres","host":"h","port":"5433","dbname":"d","username":"u","password":"x"}';
    expect(of({ secret: ARN }, {}, whole)).toMatchObject({
      host: "h",
      port: 5433,
      database: "d",
      user: "u",
      password: "x",
    });
    expect(() => of({ secret: ARN, host: "h", database: "d" }, {}, '{"password":"x"}')).toThrow(
      "lacks the field username",
    );
    expect(() => of({ secret: ARN }, {}, managed)).toThrow("connect says no host: add host to connect");
  });

  test("encrypts by default, except to this machine", () => {
    const base = { database: "d", user: "u" };
    expect(of({ ...base, host: "db.example" }).tls).toBe("verify");
    for (const host of ["/var/run/postgresql", "localhost", "127.0.0.1", "::1"])
      expect(of({ ...base, host }).tls).toBe("disable");
    expect(of({ url: () => "postgres://u@h/d?host=/run/pg" })).toMatchObject({ host: "/run/pg", tls: "disable" });
    expect(of({ url: () => "postgres://u@[::1]/d" })).toMatchObject({ host: "::1" });
  });
});

test("postgresRows refuses wrong options when the workflow is defined", () => {
  const wrong = (options: unknown) => () => postgresRows(options as PostgresRowsOptions);
  const options = { connect: { url: () => URL }, table: "t", key: "id" };
  expect(wrong({ ...options, connect: undefined })).toThrow("needs connect");
  expect(wrong({ ...options, connect: URL })).toThrow("so that no password stands in the code");
  expect(wrong({ ...options, connect: { url: URL } })).toThrow("connect.url must be a function");
  expect(wrong({ ...options, connect: { url: URL } })).not.toThrow("p%40ss");
  expect(wrong({ ...options, connect: { host: "h", database: "d", user: "u", password: "x" } })).toThrow(
    "connect.password must be a function",
  );
  expect(wrong({ ...options, connect: {} })).toThrow("must say which database");
  expect(wrong({ ...options, connect: { secret: "shop/reader" } })).toThrow("must be the whole ARN of a secret");
  expect(wrong({ ...options, connect: { url: () => URL, tls: "require" } })).toThrow("connect.tls must be");
  expect(wrong({ ...options, connect: { url: () => URL, port: 0 } })).toThrow("connect.port must be");
  expect(wrong({ ...options, statementTimeout: { minutes: 3 } })).toThrow("statementTimeout must be between");
  expect(wrong({ ...options, json: "list" })).toThrow('json must be "value" or "text"');
});

test("postgresRows asks for exactly its secret, and packs the authorities", () => {
  const source = postgresRows({
    connect: {
      secret: ({ DB_SECRET_ARN = "" }) => DB_SECRET_ARN,
      host: "h",
      database: "d",
      tls: { ca: "certs/rds.pem" },
    },
    table: "t",
    key: "id",
  });
  expect(source.rights?.({ DB_SECRET_ARN: ARN })).toEqual([
    { actions: ["secretsmanager:GetSecretValue"], resources: [ARN] },
  ]);
  const token = ["$", "{Token[TOKEN.7]}"].join("");
  expect(source.rights?.({ DB_SECRET_ARN: token })).toMatchObject([{ resources: [token] }]);
  expect(() => source.rights?.({})).toThrow("name the variable in the option environment");
  expect(source.files?.({})).toEqual(["certs/rds.pem"]);
  expect(postgresRows({ connect: { url: () => URL }, table: "t", key: "id" }).rights?.({})).toEqual([]);
});

test("a page statement quotes names, binds values, and knows no offset", () => {
  const rows = { from: quote('a"; drop table x; --'), key: ["k", 'q"'], pageSize: 10 };
  const range = { after: ["'1", "2"], upTo: ["3", "4"] };
  const dialect = { placeholder: (position: number) => `$${position}` };
  const { text, values } = pageStatement(rows, { range, marksEqualKeys: false }, dialect);
  expect(text).toBe(
    'select t.*, t."k" as sluice_key_1, t."q""" as sluice_key_2 from "a""; drop table x; --" as t where (t."k", t."q""") > ' +
      '($1, $2) and (t."k", t."q""") <= ($3, $4) order by t."k", t."q""" limit 11',
  );
  expect(values).toEqual(["'1", "2", "3", "4"]);
});

describe("parseArray", () => {
  const texts = fc.array(fc.option(fc.string({ unit: "binary" }), { nil: null }), { maxLength: 6 });
  /** As PostgreSQL writes it, with each element quoted. */
  const written = (elements: readonly (string | null)[]) =>
    `{${elements.map((element) => (element === null ? "NULL" : `"${element.replaceAll(/["\\]/g, "\\$&")}"`)).join(",")}}`;

  test("reads what PostgreSQL writes, with any text", () => {
    fc.assert(
      fc.property(texts, (elements) => {
        expect(parseArray(written(elements), (text) => text)).toEqual(elements);
        expect(parseArray(`{${written(elements)},${written(elements)}}`, (text) => text)).toEqual([elements, elements]);
      }),
    );
  });

  test.each(["", "1", "{", "{1", "{1,}x", "{,}", '{"a}', "{1}{2}", "{{1}"])("refuses %s", (text) => {
    expect(() => parseArray(text, Number)).toThrow("is malformed at character");
  });

  test("refuses other bounds, which a list cannot hold", () => {
    expect(() => parseArray("[0:1]={1,2}", Number)).toThrow(
      'the array has the bounds [0:1], which a list cannot hold: set arrays: "text"',
    );
  });
});
