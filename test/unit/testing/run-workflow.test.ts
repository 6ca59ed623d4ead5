import { expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import {
  defineWorkflow,
  items,
  PermanentError,
  RetryLater,
  TaskTimeoutError,
  Throttled,
  type WorkflowOptions,
} from "../../../shared/index.ts";
import { FakeClock, InvalidItemError, ItemError, runWorkflow } from "../../../shared/testing/index.ts";

const numbers = (changes: Partial<WorkflowOptions<number, number>>) =>
  defineWorkflow<number, number>({
    name: "numbers",
    source: items([1, 2, 3]),
    task: () => {},
    concurrency: 2,
    ...changes,
  });

const doubling = defineWorkflow({
  name: "doubling",
  source: items(["1"]),
  item: z.coerce.number(),
  task: async (number) => {
    if (number === 13) throw new PermanentError("13 is refused");
    return number * 2;
  },
  concurrency: 2,
});

test("a run has results, failures and counts, in the order of the items", async () => {
  const run = await runWorkflow(doubling, { items: ["1", "13", "two", "4"] });
  expect(run).toMatchObject({
    status: "completed",
    produced: 4,
    succeeded: 2,
    dead: 2,
    cancelled: 0,
    retried: 0,
    deadByReason: { permanent: 1, "invalid item": 1 },
    results: [2, 8],
    elapsedMilliseconds: 0,
  });
  expect(run.failures).toMatchObject([
    { position: 1, id: "test-run/0/1", item: "13", reason: "permanent", attempts: 1, message: "13 is refused" },
    { position: 2, item: "two", reason: "invalid item", attempts: 1 },
  ]);
  expect(run.failures[0]?.error).toBeInstanceOf(PermanentError);
  expect(run.failures[1]?.error).toBeInstanceOf(InvalidItemError);
  expect(run.items.map(({ outcome }) => outcome)).toEqual(["succeeded", "dead", "dead", "succeeded"]);
  expectTypeOf(run.results).toEqualTypeOf<readonly number[]>();
  expectTypeOf(run.failures[0]?.item).toEqualTypeOf<string | undefined>();
});

test("without items, the workflow's source is read, up to the workflow's limit", async () => {
  const run = await runWorkflow(numbers({ source: items(Array.from({ length: 450 }, (_, n) => n)), limit: 401 }));
  expect(run).toMatchObject({ produced: 401, succeeded: 401 });
  expect(run.items.at(-1)).toMatchObject({ position: 400, id: "test-run/2/0", item: 400 });
});

test("an error of the source is thrown, and its warnings are in the report", async () => {
  const broken = numbers({ source: { readPage: () => Promise.reject(new Error("no such table")) } });
  await expect(runWorkflow(broken)).rejects.toThrow("no such table");
  const warned = numbers({
    source: {
      readPage: (_, { warn }) => {
        warn("odd");
        return { items: [] };
      },
    },
  });
  expect(await runWorkflow(warned)).toMatchObject({ produced: 0, status: "completed", warnings: ["odd"] });
});

test("failures are tried again after the backoff, on a clock that is moved", async () => {
  const attempts: number[] = [];
  const clock = new FakeClock();
  const started: number[] = [];
  const workflow = numbers({
    task: (_, { attempt }) => {
      attempts.push(attempt);
      started.push(clock.now());
      if (attempt < 4) throw new Error(`failure ${attempt}`);
    },
    retry: { attempts: 4, backoff: { base: { seconds: 10 }, cap: { seconds: 30 } } },
  });
  const begun = clock.now();
  const run = await runWorkflow(workflow, { items: [1], clock });
  expect(attempts).toEqual([1, 2, 3, 4]);
  expect(started.map((at) => (at - begun) / 1_000)).toEqual([0, 10, 30, 60]);
  expect(run).toMatchObject({ succeeded: 1, retried: 3, elapsedMilliseconds: 60_000 });
  expect(run.items[0]).toMatchObject({
    attempts: 4,
    history: [{ message: "failure 1", attempt: 1, at: "2026-01-01T00:00:00.000Z", kind: "threw" }, {}, {}],
  });
});

test("the last attempt makes an item dead with the reason exhausted", async () => {
  const workflow = numbers({
    task: () => {
      throw new Error("always");
    },
    retry: { attempts: 3 },
  });
  const run = await runWorkflow(workflow, { items: [1], random: () => 0 });
  expect(run).toMatchObject({ dead: 1, retried: 2, elapsedMilliseconds: 0 });
  expect(run.failures[0]).toMatchObject({ reason: "exhausted", attempts: 3, message: "always" });
});

test("waits use up no attempt, and what the task asked for decides when it is called again", async () => {
  const clock = new FakeClock();
  const begun = clock.now();
  const seen: unknown[] = [];
  const workflow = numbers({
    task: (_, { attempt, waits }) => {
      seen.push([attempt, waits, (clock.now() - begun) / 1_000]);
      if (waits === 0) throw new RetryLater({ minutes: 5 });
      if (waits === 1) throw new Throttled({ seconds: 2 });
    },
    retry: { attempts: 1, backoff: { base: { seconds: 1 } } },
  });
  const run = await runWorkflow(workflow, { items: [1], clock });
  // A throttled item waits for as long as the service asks, and for the backoff of its second wait.
  expect(seen).toEqual([
    [1, 0, 0],
    [1, 1, 300],
    [1, 2, 304],
  ]);
  expect(run.items[0]).toMatchObject({ outcome: "succeeded", attempts: 1, waits: 2, history: [] });
});

test("an item that waits for too long is dead with that reason", async () => {
  const workflow = numbers({
    task: () => {
      throw new RetryLater({ hours: 1 }, { message: "the report is not ready" });
    },
    retry: { waitAtMost: { hours: 3 } },
  });
  const run = await runWorkflow(workflow, { items: [1] });
  expect(run.failures[0]).toMatchObject({
    reason: "waited too long",
    message: "the report is not ready",
    waits: 4,
    attempts: 0,
  });
  expect(run.elapsedMilliseconds).toBe(3 * 3_600_000);
});

test("items that a message cannot hold are dead without an attempt", async () => {
  const workflow = defineWorkflow({ name: "any", source: items<unknown>([]), task: () => {}, concurrency: 2 });
  const run = await runWorkflow(workflow, { items: [Number.NaN, "x".repeat(1_100_000), 1] });
  expect(run).toMatchObject({ succeeded: 1, deadByReason: { "invalid item": 1, "too large": 1 } });
  expect(run.failures[0]).toMatchObject({ item: Number.NaN, attempts: 0 });
  expect(run.failures[0]?.error).toBeInstanceOf(ItemError);
  expect(run.failures[1]?.message).toMatch(/the item with its envelope takes \d+ bytes/);
});

test("no more tasks run at once than the concurrency", async () => {
  let running = 0;
  let most = 0;
  const workflow = numbers({
    concurrency: 4,
    task: async () => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
    },
  });
  await runWorkflow(workflow, { items: Array.from({ length: 20 }, (_, n) => n) });
  expect(most).toBe(4);
  most = 0;
  await runWorkflow(workflow, { items: [1, 2, 3], concurrency: 1 });
  expect(most).toBe(1);
});

test("a run is stopped when more items die than are tolerated, and the rest is cancelled", async () => {
  const workflow = numbers({
    task: (n) => {
      if (n < 3) throw new PermanentError("no");
    },
    toleratedFailures: { count: 1 },
  });
  const run = await runWorkflow(workflow, { items: [1, 2, 3, 4], concurrency: 1 });
  expect(run).toMatchObject({
    status: "failed",
    failure: "2 items died, more than the 1 that are tolerated",
    produced: 4,
    dead: 2,
    succeeded: 0,
    cancelled: 2,
  });
});

test("a signal cancels what has not started", async () => {
  const controller = new AbortController();
  const workflow = numbers({ task: () => controller.abort(new Error("enough")) });
  const run = await runWorkflow(workflow, { items: [1, 2, 3], concurrency: 1, signal: controller.signal });
  expect(run).toMatchObject({ status: "cancelled", succeeded: 1, cancelled: 2 });
});

test("a task that hangs is timed out, by the time that passes or by a fake clock", async () => {
  const hanging = numbers({ task: () => new Promise(() => {}), retry: { attempts: 2 }, timeout: { seconds: 30 } });
  const short = await runWorkflow(hanging, { items: [1], timeout: { milliseconds: 1 } });
  expect(short.failures[0]).toMatchObject({
    reason: "exhausted",
    history: [{ kind: "timed out" }, { kind: "timed out" }],
  });
  expect(short.failures[0]?.error).toBeInstanceOf(TaskTimeoutError);
  const clock = new FakeClock();
  const [faked] = await Promise.all([runWorkflow(hanging, { items: [1], clock }), clock.advance({ hours: 1 })]);
  expect(faked.failures[0]).toMatchObject({
    reason: "exhausted",
    attempts: 2,
    history: [{ durationMilliseconds: 30_000 }, {}],
  });
});

test("the report has what the tasks logged", async () => {
  const workflow = numbers({ task: (n, { logger }) => logger.info("seen", { n }) });
  const { logs } = await runWorkflow(workflow, { items: [7] });
  expect(logs).toEqual([{ level: "info", message: "seen", fields: { id: "test-run/0/0", attempt: 1, n: 7 } }]);
});

test("100 items take less than 100 ms of CPU time", async () => {
  const workflow = numbers({ task: (n) => n });
  const list = Array.from({ length: 100 }, (_, n) => n);
  await runWorkflow(workflow, { items: list });
  const before = process.cpuUsage();
  await runWorkflow(workflow, { items: list });
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(100);
});

test("wrong parameters are refused with their fix", async () => {
  // biome-ignore lint/suspicious/noExplicitAny: the parameters are wrong on purpose.
  const run = runWorkflow as any;
  await expect(run(undefined)).rejects.toThrow("runWorkflow takes a workflow, but got undefined");
  await expect(run(doubling, { item: [] })).rejects.toThrow('has the unknown option "item"');
  await expect(run(doubling, { items: "1" })).rejects.toThrow(
    'the option items of runWorkflow must be an array, but is "1"',
  );
  await expect(run(doubling, { concurrency: 0 })).rejects.toThrow("concurrency must be a whole number of at least 1");
});
