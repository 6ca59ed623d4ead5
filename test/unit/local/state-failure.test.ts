import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { stateError, stateFailureOf, usable } from "../../../local/state-failure.ts";
import { SluiceError } from "../../../shared/base/errors.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

/** The error that SQLite throws if a file of one page would grow. */
function errorOfFullDatabase(): unknown {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (x TEXT); PRAGMA max_page_count = 2;");
  try {
    database.exec(`INSERT INTO t VALUES ('${"x".repeat(100_000)}')`);
  } catch (error) {
    return error;
  } finally {
    database.close();
  }
  throw new Error("SQLite found room");
}

/** An error as Node, SQLite or LevelDB throws it. */
const withCode = (code: string, message: string, more: object = {}) =>
  Object.assign(new Error(message), { code, ...more });

describe("why the state cannot be used", () => {
  test.each([
    ["SQLite finds no room", errorOfFullDatabase(), "full"],
    ["a write finds no room", withCode("ENOSPC", "ENOSPC: no space left on device, write"), "full"],
    ["LevelDB finds no room", withCode("LEVEL_IO_ERROR", "IO error: 000003.log: No space left on device"), "full"],
    ["the file system is read-only", withCode("EROFS", "EROFS: read-only file system, mkdir"), "unusable"],
    ["the database is read-only", withCode("ERR_SQLITE_ERROR", "attempt to write", { errcode: 8 }), "unusable"],
    ["SQLite gives an extended code", withCode("ERR_SQLITE_ERROR", "disk I/O error", { errcode: 778 }), "unusable"],
    ["a file is no database", withCode("ERR_SQLITE_ERROR", "file is not a database", { errcode: 26 }), "damaged"],
    ["LevelDB finds a damaged file", withCode("LEVEL_CORRUPTION", "Corruption: bad block"), "damaged"],
    ["LevelDB misses a file", withCode("LEVEL_IO_ERROR", "IO error: 5.ldb: No such file or directory"), "damaged"],
    ["a cause says so", new Error("it failed", { cause: withCode("EDQUOT", "quota") }), "full"],
    ["SQLite refuses a statement", withCode("ERR_SQLITE_ERROR", "syntax error", { errcode: 1 }), undefined],
    ["the error has another reason", new TypeError("x is not a function"), undefined],
    ["no error was thrown", "a text", undefined],
  ])("is known if %s", (_, error, failure) => {
    expect(stateFailureOf(error)).toBe(failure);
  });

  test("is in the message, with the file and the way out", () => {
    expect(stateError("full", "/a", new Error("no space"))).toMatchObject({
      code: "STATE_FULL",
      message: expect.stringMatching(/^\/a .*disk is full \(no space\).* Free space .*npx sluice resume$/),
    });
    expect(stateError("damaged", "/a/queues.db", "it is too short")).toMatchObject({
      code: "STATE_DAMAGED",
      message: expect.stringMatching(/^\/a\/queues\.db is damaged: it is too short\. .*backup.*--fresh$/),
    });
    expect(stateError("unusable", "/a", new Error("EROFS"))).toMatchObject({
      code: "STATE_UNUSABLE",
      message: expect.stringMatching(/^\/a, .* cannot be used: EROFS\. .*permissions/),
    });
  });
});

test("work on files of the state throws an error of Sluice", () => {
  using directory = temporaryDirectory();
  const notThere = join(directory.path, "none", "file");
  expect(() => usable(directory.path, () => new DatabaseSync(notThere))).toThrow(
    expect.objectContaining({ code: "STATE_UNUSABLE" }),
  );
  const known = new SluiceError("STATE_NEWER", "newer");
  expect(() =>
    usable(directory.path, () => {
      throw known;
    }),
  ).toThrow(known);
});
