import { expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import type { NoSchema, SchemaMeets, TaskMeets } from "../../../shared/definition/types-that-meet.ts";
import {
  defineWorkflow,
  fileLines,
  httpPages,
  type ItemOf,
  items,
  linkHeader,
  type ResultOf,
  type Source,
  type TaskContext,
  type Workflow,
} from "../../../shared/index.ts";

// These tests are checked by the compiler: `npm run check` fails if a type changes, or if a line that must not compile does.

const csv = fileLines("people.csv", { format: "csv" });
const rest = { name: "people", concurrency: 2 } as const;

test("the rows of a CSV file fit a schema with z.coerce, and the task receives the output of the schema", () => {
  const item = z.object({ id: z.coerce.number(), name: z.string(), note: z.string().optional() });
  const workflow = defineWorkflow({ ...rest, source: csv, item, task: ({ id, name }) => `${id.toFixed(0)} ${name}` });
  expect(workflow.item).toBe(item);
  expectTypeOf<ItemOf<typeof workflow>>().toEqualTypeOf<{ id: number; name: string; note?: string | undefined }>();
  expectTypeOf<ResultOf<typeof workflow>>().toEqualTypeOf<string>();
});

test("a workflow keeps the types of its task and of its source", () => {
  const workflow = defineWorkflow({
    ...rest,
    source: csv,
    item: z.object({ id: z.coerce.number() }),
    task: async ({ id }) => ({ half: id / 2 }),
  });
  expectTypeOf(workflow.task).parameters.toEqualTypeOf<[item: { id: number }, context: TaskContext]>();
  expectTypeOf(workflow.task).returns.toEqualTypeOf<Promise<{ half: number }>>();
  expectTypeOf(workflow.source).toEqualTypeOf<Source<Record<string, string>>>();
  expectTypeOf(workflow).toExtend<Workflow>();
});

test("without a schema, the task receives what the source yields", () => {
  const numbers = defineWorkflow({ ...rest, source: items([{ id: 1 }]), task: ({ id }) => id });
  expectTypeOf<ItemOf<typeof numbers>>().toEqualTypeOf<{ id: number }>();
  // @ts-expect-error The source yields numbers.
  defineWorkflow({ ...rest, source: items([{ id: 1 }]), task: ({ id }: { id: string }) => id.length });
  // @ts-expect-error A row of a CSV file has no numbers.
  defineWorkflow({ ...rest, source: csv, task: (row: { amount: number }) => row.amount });
  // A task can take less than the source yields.
  defineWorkflow({ ...rest, source: items([{ id: 1, name: "a" }]), task: ({ id }: { id: number }) => id });
});

test("a source of unknown items meets every schema and every task", () => {
  const api = httpPages({ url: "https://api.example/people", next: linkHeader });
  const typed = defineWorkflow({ ...rest, source: api, task: (person: { id: number }) => person.id });
  expectTypeOf<ResultOf<typeof typed>>().toEqualTypeOf<number>();
  const checked = defineWorkflow({ ...rest, source: api, item: z.object({ id: z.number() }), task: ({ id }) => id });
  expectTypeOf<ItemOf<typeof checked>>().toEqualTypeOf<{ id: number }>();
});

test("a schema that refuses every item of the source does not compile", () => {
  const task = () => {};
  // @ts-expect-error The values of a CSV file are strings.
  defineWorkflow({ ...rest, source: csv, item: z.object({ id: z.number() }), task });
  // @ts-expect-error The source yields no `email`.
  defineWorkflow({ ...rest, source: items([{ id: 1 }]), item: z.object({ email: z.string() }), task });
  // @ts-expect-error The source yields numbers.
  defineWorkflow({ ...rest, source: items([1, 2]), item: z.string(), task });
  // A schema can accept some of the values, and can refuse the others.
  defineWorkflow({ ...rest, source: items(["a", 1]), item: z.string(), task });
  defineWorkflow({ ...rest, source: csv, item: z.object({ id: z.enum(["1", "2"]) }), task });
});

test("a result schema that refuses everything that the task returns does not compile", () => {
  const source = items([{ id: 1 }]);
  const result = z.object({ noon: z.string() });
  // @ts-expect-error The task returns a number in `noon`.
  defineWorkflow({ ...rest, source, results: true, result, task: async () => ({ noon: 12 }) });
  const checked = defineWorkflow({ ...rest, source, results: true, result, task: async () => ({ noon: "12:00" }) });
  expectTypeOf<ResultOf<typeof checked>>().toEqualTypeOf<{ noon: string }>();
});

test("the error names the field and both types", () => {
  expectTypeOf<
    SchemaMeets<Record<string, string>, { amount: number }, "source">
  >().toEqualTypeOf<'The schema refuses every value: the source gives a string in "amount", and the schema takes a number'>();
  expectTypeOf<
    SchemaMeets<{ id: number }, { email: string }, "source">
  >().toEqualTypeOf<'The schema refuses every value: the source gives no "email"'>();
  expectTypeOf<
    TaskMeets<{ id: number }, { id: string }, NoSchema>
  >().toEqualTypeOf<'The task takes another type than the source yields: the source gives a number in "id", and the task takes a string. Add an item schema that converts it, or change the type of the item'>();
});
