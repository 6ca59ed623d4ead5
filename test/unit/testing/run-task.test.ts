import { expect, expectTypeOf, test, vi } from "vitest";
import * as z from "zod";
import {
  checkResponse,
  defineWorkflow,
  fileLines,
  items,
  PermanentError,
  TaskTimeoutError,
  Throttled,
} from "../../../shared/index.ts";
import { FakeClock, InvalidItemError, ItemError, runTask } from "../../../shared/testing/index.ts";

const invoices = defineWorkflow({
  name: "invoices",
  source: fileLines("invoices.csv", { format: "csv" }),
  item: z.object({ id: z.string(), amount: z.coerce.number() }),
  task: async ({ id, amount }) => {
    if (id === "404") throw new PermanentError(`no customer ${id}`);
    return { id, cents: amount * 100 };
  },
  concurrency: 2,
});

const sleepy = defineWorkflow({
  name: "sleepy",
  source: items(["a"]),
  task: (_, { signal }) =>
    new Promise<never>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  concurrency: 2,
  timeout: { seconds: 10 },
});

test("the item passes through the schema, and the promise has what the task returned, with its type", async () => {
  const result = await runTask(invoices, { id: "1", amount: "3.5" });
  expect(result).toEqual({ id: "1", cents: 350 });
  expectTypeOf(result).toEqualTypeOf<{ id: string; cents: number }>();
  // @ts-expect-error A row of a CSV file has strings only.
  await runTask(invoices, { id: "1", amount: 3.5 });
});

test("the promise rejects with the very error of the task", async () => {
  await expect(runTask(invoices, { id: "404", amount: "1" })).rejects.toThrow(PermanentError);
  const failure = new TypeError("mistake");
  const failing = defineWorkflow({
    name: "failing",
    source: items([1]),
    task: () => {
      throw failure;
    },
    concurrency: 2,
  });
  await expect(runTask(failing, 1)).rejects.toBe(failure);
});

test("a thrown value that is no error becomes one", async () => {
  const odd = defineWorkflow({
    name: "odd",
    source: items([1]),
    task: () => Promise.reject(undefined),
    concurrency: 2,
  });
  await expect(runTask(odd, 1)).rejects.toThrow("thrown: undefined (a value that is not an Error)");
});

test("an item that does not match the schema is refused with the field", async () => {
  const refused = runTask(invoices, { id: "1", amount: "three" });
  await expect(refused).rejects.toThrow(InvalidItemError);
  await expect(refused).rejects.toThrow("the item fails the workflow's schema: amount: ");
});

test("an item that a message cannot hold is refused", async () => {
  const ratios = defineWorkflow({ name: "ratios", source: items([1]), task: () => {}, concurrency: 2 });
  await expect(runTask(ratios, Number.NaN)).rejects.toThrow(ItemError);
  const texts = defineWorkflow({ name: "texts", source: items([""]), task: () => {}, concurrency: 2 });
  await expect(runTask(texts, "x".repeat(1_100_000))).rejects.toThrow("more than the");
});

test("the task receives a copy of the item, as after a message", async () => {
  const item = { id: 1, missing: undefined };
  const same = defineWorkflow({ name: "same", source: items([{ id: 1 }]), task: (given) => given, concurrency: 2 });
  const received = await runTask(same, { id: item.id });
  expect(received).toEqual({ id: 1 });
  expect(received).not.toBe(item);
});

test("a workflow that keeps results has them checked and read back from JSON", async () => {
  const kept = defineWorkflow({
    name: "kept",
    source: items([1]),
    task: (number) => ({ half: number / 2, note: undefined }),
    results: true,
    result: z.object({ half: z.number().transform(String) }),
    concurrency: 2,
  });
  expect(await runTask(kept, 3)).toEqual({ half: "1.5" });
  const lossy = defineWorkflow({
    name: "lossy",
    source: items([1]),
    task: () => new Map(),
    results: true,
    concurrency: 2,
  });
  await expect(runTask(lossy, 1)).rejects.toThrow("the result is not JSON");
});

test("the context has what the options say", async () => {
  const seen = defineWorkflow({ name: "seen", source: items([1]), task: (_, context) => context, concurrency: 2 });
  expect(await runTask(seen, 1)).toMatchObject({
    attempt: 1,
    waits: 0,
    redrives: 0,
    id: "test-run/0/0",
    idempotencyKey: "test-run/0/0",
    run: { id: "test-run", workflow: "seen" },
  });
  expect(await runTask(seen, 1, { attempt: 3, waits: 2, redrives: 1, id: "r/1/2" })).toMatchObject({
    attempt: 3,
    waits: 2,
    redrives: 1,
    id: "r/1/2",
    idempotencyKey: "r/1/2",
  });
  const info = vi.fn();
  const logger = { debug: info, info, warn: info, error: info };
  const { logger: given } = await runTask(seen, 1, { logger, idempotencyKey: "key" });
  expect(given).toBe(logger);
});

test("an attempt times out when the fake clock has moved on by its timeout, and not before", async () => {
  const clock = new FakeClock("2026-01-01T00:00:00Z");
  const ended = vi.fn();
  const attempt = runTask(sleepy, "a", { clock }).catch(ended);
  await clock.advance({ seconds: 9 });
  expect(ended).not.toHaveBeenCalled();
  await clock.advance({ seconds: 1 });
  await attempt;
  expect(ended).toHaveBeenCalledExactlyOnceWith(expect.any(TaskTimeoutError));
  expect(clock.now()).toBe(Date.parse("2026-01-01T00:00:10Z"));
});

test("the timeout can be changed, and fake timers of the test runner end it too", async () => {
  await expect(runTask(sleepy, "a", { timeout: { milliseconds: 1 } })).rejects.toThrow("within 0.001 s");
  vi.useFakeTimers();
  try {
    const attempt = runTask(sleepy, "a");
    await Promise.all([expect(attempt).rejects.toThrow(TaskTimeoutError), vi.advanceTimersByTimeAsync(10_000)]);
  } finally {
    vi.useRealTimers();
  }
});

test("a signal of the test aborts the task", async () => {
  const controller = new AbortController();
  const attempt = runTask(sleepy, "a", { signal: controller.signal });
  controller.abort(new Error("the test ends"));
  await expect(attempt).rejects.toThrow("the test ends");
});

test("checkResponse throws what the task would throw", async () => {
  const api = defineWorkflow({
    name: "api",
    source: items([429]),
    task: (status) => checkResponse(new Response("", { status, headers: { "retry-after": "7" } })).text(),
    concurrency: 2,
  });
  await expect(runTask(api, 429)).rejects.toThrow(Throttled);
  await expect(runTask(api, 429)).rejects.toMatchObject({ afterMilliseconds: 7_000 });
});

test("wrong parameters are refused with their fix", async () => {
  // biome-ignore lint/suspicious/noExplicitAny: the parameters are wrong on purpose.
  const run = runTask as any;
  await expect(run({}, 1)).rejects.toThrow(
    "runTask takes a workflow, but got {}: pass the default export of the workflow's file",
  );
  await expect(run(sleepy, "a", { attempts: 1 })).rejects.toThrow(
    'the options of runTask has the unknown option "attempts"',
  );
  await expect(run(sleepy, "a", { attempt: 0 })).rejects.toThrow("attempt must be a whole number of at least 1");
  await expect(run(sleepy, "a", { waits: -1 })).rejects.toThrow("waits must be a whole number of at least 0");
  await expect(run(sleepy, "a", { clock: Date })).rejects.toThrow("the option clock of runTask must be a FakeClock");
  expect(() => new FakeClock("tomorrow")).toThrow('FakeClock takes a date, but got "tomorrow"');
});
