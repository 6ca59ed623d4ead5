import { describe, expect, test } from "vitest";
import * as z from "zod";
import { isPermanent } from "../../../shared/base/failure.ts";
import { LARGEST_RESULT_BYTES, toResultJson } from "../../../shared/results/result-json.ts";

const cyclic: Record<string, unknown> = { name: "Bonn" };
cyclic.self = cyclic;

const MANY = "a".repeat(LARGEST_RESULT_BYTES - 2);

test.for<[unknown, string]>([
  [{ noon: "12:03", of: [1, null, true] }, '{"noon":"12:03","of":[1,null,true]}'],
  [undefined, "null"],
  [null, "null"],
  ["text", '"text"'],
  [{ at: new Date(0), gone: undefined }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ["\u2028\n", '"\u2028\\n"'],
  [MANY, `"${MANY}"`],
])("a result that is JSON becomes its text (%#)", async ([result, json]) => {
  expect(await toResultJson(result, undefined)).toBe(json);
});

describe("a result that is no JSON is refused with what to return instead", () => {
  test.for<[unknown, string]>([
    [1n, "the result is not JSON: it is a BigInt. Instead, return String(value), or Number(value)"],
    [{ id: 1n }, 'the result is not JSON: "id" is a BigInt. Instead, return String(value)'],
    [cyclic, "the result is not JSON: it contains itself (a cycle). Return a plain object with only the fields"],
    [new Response("{}"), "it is a Response. Instead, return its content, for example `await response.json()`"],
    [{ response: new Response() }, '"response" is a Response. Instead, return its content'],
    [new Map([[1, 2]]), "it is a Map. Instead, return text, finite numbers, booleans, null, and lists"],
    [{ done: Promise.resolve() }, '"done" is a Promise (is an await missing?)'],
    [[undefined], '"0" is undefined, in an array'],
    [Number.NaN, "it is NaN"],
    [() => 1, "it is a function"],
    [Symbol("s"), "it is a symbol"],
    [new Uint8Array(2), "it is binary data (keep it as base64 text)"],
    [new Error("no"), "it is an Error"],
    [{ toJSON: () => ({ id: 1n }) }, '"id" is a BigInt'],
    [
      {
        toJSON() {
          throw new Error("not today");
        },
      },
      "the result is not JSON: not today",
    ],
    [`${MANY}a`, `the result has ${LARGEST_RESULT_BYTES + 1} bytes, more than the ${LARGEST_RESULT_BYTES} bytes`],
    ["ä".repeat(LARGEST_RESULT_BYTES / 2), "store it where it belongs, for example in a bucket, and return its key"],
  ])("%#", async ([result, message]) => {
    const error = await toResultJson(result, undefined).catch((thrown) => thrown);
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ name: "InvalidResultError", code: "PERMANENT" });
    expect(isPermanent(error)).toBe(true);
  });
});

test("the output of the schema is kept, and what the schema rejects is refused with the place", async () => {
  const schema = z.object({ noon: z.string(), lost: z.number().default(0) });
  expect(await toResultJson({ noon: "12:03", more: 1 }, schema)).toBe('{"noon":"12:03","lost":0}');
  await expect(toResultJson({ noon: 12 }, schema)).rejects.toThrow(
    /^the result fails the workflow's schema \(result\): noon: /,
  );
  await expect(toResultJson(undefined, schema)).rejects.toThrow("the result fails the workflow's schema (result): ");
});
