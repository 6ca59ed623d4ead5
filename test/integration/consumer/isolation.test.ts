import type { spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test, vi } from "vitest";
import { isPermanent } from "../../../shared/base/failure.ts";
import { requestedWaitOf } from "../../../shared/base/requested-wait.ts";
import { Isolation, type IsolationOptions } from "../../../shared/consumer/attempts/isolation.ts";
import { isolationMemory } from "../../../shared/consumer/attempts/isolation-memory.ts";
import { watchChildren } from "../../helpers/child-processes.ts";
import { RUN } from "../../helpers/consumer-world.ts";
import { HOSTILE_VALUES } from "../../helpers/hostile-values.ts";
import { plainContext } from "../../helpers/task-context.ts";

const childrenEnded = await watchChildren();

const helper = (name: string) => fileURLToPath(new URL(`../../helpers/${name}.ts`, import.meta.url));

interface Changes extends Partial<IsolationOptions> {
  readonly module?: string;
  readonly timeoutMilliseconds?: number;
  readonly begin?: () => Promise<void>;
  readonly beginsBy?: number;
}

async function isolatedOnce(item: unknown, changes: Changes = {}) {
  const { module = "isolated-tasks", timeoutMilliseconds = 60_000, begin = async () => {}, ...rest } = changes;
  const { beginsBy = Number.POSITIVE_INFINITY, ...options } = rest;
  const isolation = new Isolation({ isolatedModule: helper(module), memoryMb: 256, now: Date.now, ...options });
  const request = { item, context: { ...plainContext(RUN), idempotencyKey: "key" }, timeoutMilliseconds };
  return await isolation.run(request, { alone: false, beginsBy, begin });
}

/** The outcome of an attempt that was made. On a busy computer, a process may not be ready in time: then it is repeated. */
async function isolated(item: unknown, changes: Changes = {}) {
  for (;;) {
    const outcome = await isolatedOnce(item, changes);
    if (outcome.tag !== "not ready") return outcome;
  }
}

/** A `spawn` that fails like Node's: it throws, or it returns a process without an id that emits an error. */
const failingSpawn = (code: string, how: "throws" | "tells"): typeof spawn =>
  vi.fn(() => {
    const error = Object.assign(new Error(`spawn ${code}`), { code });
    if (how === "throws") throw error;
    const child = Object.assign(new EventEmitter(), { pid: undefined, stdio: [], kill: () => false });
    process.nextTick(() => child.emit("error", error));
    return child;
  }) as never;

const failed = (kind: string, thrown: object) => ({ tag: "failed", kind, thrown: expect.objectContaining(thrown) });

afterAll(() => childrenEnded());

// All attempts run at once, each in its own process.
describe.concurrent("an isolated attempt", () => {
  test("succeeds if its task returns", async () => {
    expect(await isolated("succeeds")).toMatchObject({ tag: "succeeded" });
  });

  test("gets bigints unchanged", async () => {
    expect(await isolated([1234567890123456789n, 5n])).toMatchObject({ tag: "succeeded" });
  });

  test("that throws fails with the error of its task", async () => {
    const outcome = await isolated("throws");
    expect(outcome).toMatchObject(failed("threw", { name: "RangeError", message: "too far" }));
    expect(outcome).toMatchObject({ thrown: { stack: expect.stringContaining("isolated-tasks.ts") } });
  });

  test("that throws a PermanentError is permanent", async () => {
    const permanent = await isolated("is permanent");
    expect(permanent).toMatchObject(failed("threw", { name: "PermanentError", message: "never" }));
    expect(permanent.tag === "failed" && isPermanent(permanent.thrown)).toBe(true);
  });

  test("that throws RetryLater keeps the wait", async () => {
    const later = await isolated("asks for later");
    expect(later).toMatchObject(failed("threw", { name: "RetryLater", message: "try again in 3 s" }));
    expect(later.tag === "failed" && requestedWaitOf(later.thrown)).toEqual({
      kind: "retryLater",
      afterMilliseconds: 3_000,
    });
  });

  test("that is throttled keeps that", async () => {
    const throttled = await isolated("is throttled");
    expect(throttled.tag === "failed" && requestedWaitOf(throttled.thrown)).toEqual({
      kind: "throttled",
      afterMilliseconds: undefined,
    });
  });

  test("that checked a response keeps the message of the service", async () => {
    const message = "the service answered 400: say please";
    expect(await isolated("is refused")).toMatchObject(failed("threw", { name: "PermanentError", message }));
  });

  test("knows the item's identity", async () => {
    const message = JSON.stringify({ ...plainContext(RUN), idempotencyKey: "key" });
    expect(await isolated("tells its context")).toMatchObject(failed("threw", { message }));
  });

  test.each([
    "an error of another realm",
    "an error whose name is a getter that throws",
    "a revoked proxy of an error",
    "an AggregateError",
  ])("that throws %s has thrown", async (name) => {
    const { make: _, ...described } = HOSTILE_VALUES[name] as (typeof HOSTILE_VALUES)[string];
    expect(await isolated(name)).toMatchObject(
      failed("threw", {
        name: described.name,
        message: typeof described.message === "string" ? described.message : expect.stringMatching(described.message),
      }),
    );
  });

  test("that throws from a timer fails like any other", async () => {
    expect(await isolated("throws from a timer")).toMatchObject(failed("threw", { message: "stray" }));
  });

  test("that spins is timed out, and its process is ended", async () => {
    const message = expect.stringMatching(/blocked its process, .* timeout of 0\.05 s$/);
    expect(await isolated("spins", { timeoutMilliseconds: 50 })).toMatchObject(
      failed("timed out", { name: "TaskTimeoutError", message }),
    );
  });

  test.each([
    ["exits", "isolated-tasks", "exit code 3"],
    ["is killed", "isolated-tasks", "SIGKILL"],
  ])("that %s has crashed", async (item, module, why) => {
    const error = { name: "CrashedError", message: `the attempt ended its process: ${why}`, stack: "" };
    expect(await isolated(item, { module })).toMatchObject(failed("crashed", error));
  });

  test("succeeds even if it sends, writes, disconnects and removes listeners", async () => {
    expect(await isolated("does all it can to its parent")).toMatchObject({ tag: "succeeded" });
  });

  test.runIf(process.platform === "linux")("that fills its memory beside the heap is ended", async () => {
    const { processMb } = isolationMemory(256);
    const outcome = await isolated("fills its memory with buffers");
    const message = expect.stringMatching(
      `^the attempt's process used \\d+ MB, and was ended: its limit is ${processMb} MB$`,
    );
    expect(outcome).toMatchObject(failed("crashed", { name: "CrashedError", message }));
  });

  test("is not made if its begin cannot be recorded", async () => {
    const begin = () => Promise.reject(new Error("the ledger is down"));
    await expect(isolated("throws", { begin })).rejects.toThrow("the ledger is down");
  });

  test("whose process ends before it is ready is not begun", async () => {
    const begin = vi.fn(async () => {});
    const outcome = await isolated("any", { module: "isolated-exit", begin });
    const message = "the process for an isolated attempt ended before the attempt began: exit code 7";
    expect(outcome).toMatchObject({ tag: "not started", error: { message } });
    expect(begin).not.toHaveBeenCalled();
  });

  test.each([
    ["EMFILE", "tells"],
    ["EAGAIN", "tells"],
    ["ENOMEM", "throws"],
  ] as const)("whose process cannot be started (%s, as spawn %s) is not made", async (code, how) => {
    const begin = vi.fn(async () => {});
    const outcome = await isolated("any", { spawnProcess: failingSpawn(code, how), begin });
    expect(outcome).toMatchObject({ tag: "not started", error: { code, message: `spawn ${code}` } });
    expect(begin).not.toHaveBeenCalled();
  });
});

test.each(["heeds its signal", "never settles"])("an isolated attempt that %s is timed out", async (item) => {
  // The process itself notices the timeout. A busy machine could end it before, so the timers here stand still.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const outcome = await isolated(item, { timeoutMilliseconds: 50 });
    const message = expect.stringMatching(/did not settle within 0\.05 s/);
    expect(outcome).toMatchObject(failed("timed out", { name: "TaskTimeoutError", message }));
  } finally {
    vi.useRealTimers();
  }
});

test("an isolated attempt that could not begin in time starts no process", async () => {
  const spawnProcess = failingSpawn("EMFILE", "throws");
  const outcome = await isolatedOnce("any", { spawnProcess, now: () => 1_000, beginsBy: 1_000 });
  expect(outcome).toEqual({ tag: "not ready" });
  expect(spawnProcess).not.toHaveBeenCalled();
});

test("an isolated attempt whose process is not ready by its latest begin was not made", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const outcome = isolatedOnce("any", { module: "isolated-silence", now: () => 1_000, beginsBy: 4_500 });
  vi.advanceTimersByTime(3_500);
  vi.useRealTimers();
  expect(await outcome).toEqual({ tag: "not ready" });
});

test("an isolated attempt is not made if the note of its begin takes too long", async () => {
  let now = 0;
  const begin = async () => {
    now = 600_001;
  };
  const outcome = await isolatedOnce("throws", { now: () => now, beginsBy: 600_000, begin });
  expect(outcome).toEqual({ tag: "not ready" });
  expect(now).toBe(600_001);
});

test("an isolated attempt whose process is not ready after ten seconds was not made", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const outcome = isolatedOnce("any", { module: "isolated-silence" });
  vi.advanceTimersByTime(9_999);
  const still = Symbol("still running");
  expect(await Promise.race([outcome, new Promise((resolve) => setImmediate(resolve, still))])).toBe(still);
  vi.advanceTimersByTime(1);
  vi.useRealTimers();
  expect(await outcome).toEqual({ tag: "not ready" });
});
