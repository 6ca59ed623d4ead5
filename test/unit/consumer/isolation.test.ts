import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ATTEMPT_CHANNEL } from "../../../shared/base/events.ts";
import { isPermanent } from "../../../shared/base/failure.ts";
import { requestedWaitOf } from "../../../shared/base/requested-wait.ts";
import {
  type IsolatedBeginning,
  Isolation,
  type IsolationOutcome,
} from "../../../shared/consumer/attempts/isolation.ts";
import { isolationFlags, isolationMemory } from "../../../shared/consumer/attempts/isolation-memory.ts";
import { IsolationProcess } from "../../../shared/consumer/attempts/isolation-process.ts";
import { fromPlainError, toAnswer } from "../../../shared/consumer/attempts/isolation-protocol.ts";
import { PermanentError, RetryLater } from "../../../shared/index.ts";
import { FakeIsolatedProcess, turns } from "../../helpers/fake-isolated-process.ts";
import { plainContext } from "../../helpers/task-context.ts";

// test/integration/consumer/isolation.test.ts has the same with real processes.

const MEMORY_MB = 1_024;
let now: number;
const events: unknown[] = [];
const onEvent = (event: unknown) => void events.push(event);

beforeEach(() => {
  now = 1_000;
  events.length = 0;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  subscribe(ATTEMPT_CHANNEL, onEvent);
});
afterEach(() => {
  unsubscribe(ATTEMPT_CHANNEL, onEvent);
  // No attempt leaves a timer behind.
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function started(changes: Partial<IsolatedBeginning> = {}, child = new FakeIsolatedProcess()) {
  const spawnProcess = vi.fn(() => child);
  const isolation = new Isolation({
    isolatedModule: "/bundle.mjs",
    memoryMb: MEMORY_MB,
    now: () => now,
    spawnProcess: spawnProcess as never,
  });
  const begin = vi.fn(async () => {});
  const attempt = { item: [5n, "x"], context: plainContext(), timeoutMilliseconds: 3_000 };
  const beginning = { alone: false, beginsBy: Number.POSITIVE_INFINITY, begin, ...changes };
  let outcome: IsolationOutcome | undefined;
  const ended = isolation.run(attempt, beginning).then((value) => {
    outcome = value;
    return value;
  });
  return { child, spawnProcess, begin, ended, outcome: () => outcome };
}

/** An attempt whose process has got the item. */
async function begun(changes: Partial<IsolatedBeginning> = {}, child?: FakeIsolatedProcess) {
  const run = started(changes, child);
  await run.child.say({ tag: "ready" });
  expect(run.child.received).toHaveLength(1);
  return run;
}

const crashed = (message: string) => ({
  tag: "failed",
  kind: "crashed",
  thrown: expect.objectContaining({ name: "CrashedError", message, stack: "" }),
});

test("the process says that an attempt which ended it has failed", async () => {
  const child = new FakeIsolatedProcess();
  const isolated = new IsolationProcess(child as never, 100);
  const ended = isolated.attempt({ itemText: "1", context: plainContext(), timeoutMilliseconds: 3_000 });
  await child.end(null, "SIGKILL");
  expect(await ended).toMatchObject({ tag: "failed", kind: "crashed" });
});

describe("the process of an isolated attempt", () => {
  test.each([true, false])("runs the function's bundle with its share of the memory (alone: %s)", async (alone) => {
    const { child, spawnProcess, ended } = started({ alone });
    const flags = isolationFlags(isolationMemory(MEMORY_MB, alone));
    expect(spawnProcess).toHaveBeenCalledExactlyOnceWith(process.execPath, [...flags, "/bundle.mjs"], {
      env: { ...process.env, SLUICE_ISOLATED: "1" },
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
    await child.end(1);
    await ended;
  });

  test("gets the item once it is ready and the begin is noted, and is killed after its answer", async () => {
    const { promise: noted, resolve: note } = Promise.withResolvers<void>();
    const begin = vi.fn(() => noted);
    const { child, ended } = started({ begin });
    // A text that is no `ready` says nothing.
    await child.say({ tag: "succeeded" });
    expect(begin).not.toHaveBeenCalled();
    await child.say({ tag: "ready" });
    expect(begin).toHaveBeenCalledOnce();
    expect(child.received).toEqual([]);
    expect(events).toEqual([]);
    note();
    await turns();
    expect(child.received).toEqual([
      { context: plainContext(), timeoutMilliseconds: 3_000, itemText: expect.stringContaining("5") },
    ]);
    expect(events).toEqual([{ event: "started" }]);
    // A second `ready` is no answer.
    await child.say({ tag: "ready" });
    expect(child.kill).not.toHaveBeenCalled();
    now = 1_700;
    await child.say({ tag: "succeeded" });
    expect(await ended).toEqual({ tag: "succeeded", startedAt: 1_000, endedAt: 1_700 });
    expect(events).toEqual([{ event: "started" }, { event: "ended", milliseconds: 700 }]);
    expect(child.kill).toHaveBeenCalledExactlyOnceWith("SIGKILL");
  });

  test("is killed if the begin cannot be noted", async () => {
    const { child, ended } = started({ begin: () => Promise.reject(new Error("the ledger is down")) });
    const failed = expect(ended).rejects.toThrow("the ledger is down");
    await child.say({ tag: "ready" });
    await failed;
    expect(child.kill).toHaveBeenCalledExactlyOnceWith("SIGKILL");
    expect(child.received).toEqual([]);
  });

  test.each([
    [3, null, "exit code 3"],
    [null, "SIGKILL", "SIGKILL"],
  ] as const)("that ends before it is ready (%s, %s) makes no attempt", async (code, signal, why) => {
    const { child, begin, ended } = started();
    await child.end(code, signal);
    expect(await ended).toEqual({ tag: "not started", error: expect.any(Error) });
    expect(await ended).toMatchObject({
      error: {
        name: "CrashedError",
        message: `the process for an isolated attempt ended before the attempt began: ${why}`,
      },
    });
    expect(begin).not.toHaveBeenCalled();
  });

  test("that reports an error before it is ready makes no attempt", async () => {
    const { child, ended } = started();
    child.emit("error", new Error("kill EPERM"));
    expect(await ended).toMatchObject({ tag: "not started", error: { message: expect.stringMatching(/kill EPERM$/) } });
  });

  test.each(["throws", "tells"])("that cannot be started (spawn %s) makes no attempt", async (how) => {
    const error = Object.assign(new Error("spawn EMFILE"), { code: "EMFILE" });
    const spawnProcess = () => {
      if (how === "throws") throw error;
      const child = Object.assign(new EventEmitter(), { pid: undefined, stdio: [], kill: () => false });
      setImmediate(() => child.emit("error", error));
      return child;
    };
    const isolation = new Isolation({
      isolatedModule: "/bundle.mjs",
      memoryMb: MEMORY_MB,
      now: () => now,
      spawnProcess: spawnProcess as never,
    });
    const begin = vi.fn(async () => {});
    const attempt = { item: 1, context: plainContext(), timeoutMilliseconds: 3_000 };
    const outcome = await isolation.run(attempt, { alone: false, beginsBy: 5_000, begin });
    expect(outcome).toEqual({ tag: "not started", error });
    expect(begin).not.toHaveBeenCalled();
  });

  test("has ten seconds to become ready", async () => {
    const { child, begin, ended, outcome } = started();
    vi.advanceTimersByTime(9_999);
    await turns();
    expect(outcome()).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(await ended).toEqual({ tag: "not ready" });
    expect(begin).not.toHaveBeenCalled();
    expect(child.kill).toHaveBeenCalledExactlyOnceWith("SIGKILL");
  });

  test("has less time if its attempt must begin earlier", async () => {
    const { ended, outcome } = started({ beginsBy: 5_000 });
    vi.advanceTimersByTime(3_999);
    await turns();
    expect(outcome()).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(await ended).toEqual({ tag: "not ready" });
  });

  test.each([
    [5_000, true],
    [5_001, false],
  ])("makes an attempt only if the note of its begin ends in time (%s)", async (notedAt, isMade) => {
    const begin = async () => {
      now = notedAt;
    };
    const { child, ended } = started({ beginsBy: 5_000, begin });
    await child.say({ tag: "ready" });
    expect(child.received).toHaveLength(isMade ? 1 : 0);
    if (isMade) await child.say({ tag: "succeeded" });
    expect((await ended).tag).toBe(isMade ? "succeeded" : "not ready");
  });

  test("is not started if the attempt could not begin in time", async () => {
    const { spawnProcess, ended } = started({ beginsBy: 1_000 });
    expect(await ended).toEqual({ tag: "not ready" });
    expect(spawnProcess).not.toHaveBeenCalled();
  });

  test.each([
    [3, null, "exit code 3"],
    [null, "SIGKILL", "SIGKILL"],
    [null, "SIGABRT", "SIGABRT, as V8 ends a process whose heap is full"],
    [null, "SIGTRAP", "SIGTRAP, as V8 ends a process whose heap is full"],
  ] as const)("that ends during its attempt (%s, %s) has crashed", async (code, signal, why) => {
    const { child, ended } = await begun();
    await child.end(code, signal);
    expect(await ended).toMatchObject(crashed(`the attempt ended its process: ${why}`));
    expect(events).toEqual([{ event: "started" }, { event: "ended", milliseconds: 0 }]);
  });

  test("that does not answer is ended half a second after the timeout", async () => {
    const { child, ended, outcome } = await begun();
    vi.advanceTimersByTime(3_499);
    await turns();
    expect(outcome()).toBeUndefined();
    vi.advanceTimersByTime(1);
    const message = "the attempt blocked its process, which was ended after the timeout of 3 s";
    const thrown = expect.objectContaining({ name: "TaskTimeoutError", message, stack: "" });
    expect(await ended).toMatchObject({ tag: "failed", kind: "timed out", thrown });
    expect(child.kill).toHaveBeenCalledExactlyOnceWith("SIGKILL");
  });

  test.runIf(process.platform === "linux")("that takes more memory than its share is ended", async () => {
    const { processMb } = isolationMemory(200);
    const child = new FakeIsolatedProcess(process.pid);
    const isolation = new Isolation({
      isolatedModule: "/bundle.mjs",
      memoryMb: 200,
      now: () => now,
      spawnProcess: vi.fn(() => child) as never,
    });
    // This process takes more than the smallest share.
    const ballast = Buffer.alloc(processMb * 2 ** 20, 1);
    const attempt = { item: 1, context: plainContext(), timeoutMilliseconds: 3_000 };
    const ended = isolation.run(attempt, { alone: false, beginsBy: 5_000, begin: async () => {} });
    await child.say({ tag: "ready" });
    vi.advanceTimersByTime(50);
    const message = new RegExp(`^the attempt's process used \\d+ MB, and was ended: its limit is ${processMb} MB$`);
    const thrown = expect.objectContaining({ name: "CrashedError", message: expect.stringMatching(message) });
    expect(await ended).toMatchObject({ tag: "failed", kind: "crashed", thrown });
    expect(ballast[0]).toBe(1);
  });
});

describe("the answer of an isolated attempt", () => {
  const times = { startedAt: 1, endedAt: 2 };
  const overWire = (thrown: Error) => {
    const answer = toAnswer({ tag: "failed", kind: "threw", thrown, ...times });
    return JSON.parse(JSON.stringify(answer));
  };

  test("keeps what an error means", () => {
    const { error } = overWire(new PermanentError("never"));
    const again = fromPlainError(error);
    expect(again).toBeInstanceOf(Error);
    expect(again).toMatchObject({ name: "PermanentError", message: "never", stack: error.stack });
    expect(isPermanent(again)).toBe(true);
    expect(requestedWaitOf(again)).toBeUndefined();
    const later = fromPlainError(overWire(new RetryLater({ seconds: 3 })).error);
    expect(requestedWaitOf(later)).toEqual({ kind: "retryLater", afterMilliseconds: 3_000 });
  });

  test("has no code that is not a text, and no properties that the error does not have", () => {
    const { error, kind } = overWire(Object.assign(new RangeError("too far"), { code: 7 }));
    expect(kind).toBe("threw");
    expect(error).toEqual({ name: "RangeError", message: "too far", stack: expect.any(String) });
    const again = fromPlainError(error);
    expect(Object.keys(again)).not.toContain("code");
    expect(Object.getOwnPropertySymbols(again)).toEqual([]);
  });

  test("of a success says only that", () => {
    expect(toAnswer({ tag: "succeeded", ...times })).toEqual({ tag: "succeeded" });
  });

  test("of a failure reaches the consumer with its kind and times", async () => {
    const { child, ended } = await begun();
    now = 1_250;
    await child.say(overWire(new RangeError("too far")));
    const thrown = expect.objectContaining({ name: "RangeError", message: "too far" });
    expect(await ended).toEqual({ tag: "failed", kind: "threw", thrown, startedAt: 1_000, endedAt: 1_250 });
  });
});
