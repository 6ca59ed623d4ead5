import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { defineWorkflow, items, type ResultOf, type Workflow } from "../../../shared/index.ts";

const options = { name: "cities", source: items([{ id: 1 }]), task: () => {}, concurrency: 2 } as const;

test("a workflow keeps no results unless its definition says so", () => {
  expect(defineWorkflow(options).results).toBeUndefined();
  expect(defineWorkflow({ ...options, results: false }).results).toBeUndefined();
});

test("results: true means JSONL with the id and the result only", () => {
  expect(defineWorkflow({ ...options, results: true }).results).toEqual({ format: "jsonl", include: [] });
  expect(defineWorkflow({ ...options, results: {} }).results).toEqual({ format: "jsonl", include: [] });
});

test("the included fields have one order", () => {
  const { results } = defineWorkflow({ ...options, results: { format: "csv", include: ["finishedAt", "item"] } });
  expect(results).toEqual({ format: "csv", include: ["item", "finishedAt"] });
});

describe("an option that is wrong is refused with its fix", () => {
  test.for([
    [{ results: "jsonl" }, "results must be an object of options (format, include)"],
    [{ results: null }, "results must be an object of options (format, include)"],
    [{ results: { formats: "csv" } }, 'results has the unknown option "formats": use one of format, include'],
    [{ results: { format: "parquet" } }, 'results.format must be jsonl or csv, but is "parquet"'],
    [
      { results: { include: "item" } },
      'results.include must be a list of item, attempts, finishedAt, each at most once, but is "item"',
    ],
    [
      { results: { include: ["items"] } },
      'results.include must be a list of item, attempts, finishedAt, each at most once, but is ["items"]',
    ],
    [
      { results: { include: ["item", "item"] } },
      "results.include must be a list of item, attempts, finishedAt, each at most once",
    ],
    [{ results: { include: null } }, "results.include must be a list"],
    [{ results: true, result: {} }, "result must be a Standard Schema (zod, valibot, arktype, ...), but is {}"],
    [{ result: z.string() }, "the workflow keeps no results: add results: true, or leave result out"],
  ] as const)("%j", ([wrong, message]) => {
    // biome-ignore lint/suspicious/noExplicitAny: the options are wrong on purpose.
    expect(() => defineWorkflow({ ...options, ...(wrong as any) })).toThrow(message);
  });
});

test("the type of the results is what the task returns, or the output of the schema", () => {
  const returned = defineWorkflow({ ...options, results: true, task: async ({ id }) => ({ noon: `${id}:00` }) });
  expectTypeOf<ResultOf<typeof returned>>().toEqualTypeOf<{ noon: string }>();

  const checked = defineWorkflow({
    ...options,
    results: true,
    task: async (): Promise<unknown> => ({ noon: "12:00" }),
    result: z.object({ noon: z.string().transform((text) => text.length) }),
  });
  expectTypeOf<ResultOf<typeof checked>>().toEqualTypeOf<{ noon: number }>();

  expectTypeOf(returned).toExtend<Workflow>();
  expectTypeOf<ResultOf<Workflow>>().toEqualTypeOf<unknown>();
});
