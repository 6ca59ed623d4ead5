import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { devNull } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LocalFunction } from "../../../local/lambda/local-function.ts";
import { Watchdog } from "../../../local/lambda/watchdog.ts";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();
const directory = temporaryDirectory();
const HANDLER = `
import { appendFileSync } from "node:fs";
let invocations = 0;
let ticks = 0;
export async function handler(event, context) {
  invocations++;
  if (event.exit !== undefined) process.exit(event.exit);
  if (event.kill) process.kill(process.pid, "SIGKILL");
  if (event.stray) setTimeout(() => { throw new Error("stray"); });
  if (event.hang || event.stray) await new Promise((resolve) => setTimeout(resolve, 60_000));
  if (event.throws) throw new Error("no luck");
  if (event.nothing) return undefined;
  if (event.trace) return process.env._X_AMZN_TRACE_ID;
  if (event.ticks !== undefined) {
    const before = ticks;
    globalThis.ticking ??= setInterval(() => { ticks++; appendFileSync(event.ticks, "."); }, 1);
    while (ticks < before + 5) await new Promise((resolve) => setTimeout(resolve, 1));
    return { pid: process.pid };
  }
  const left = context.getRemainingTimeInMillis();
  return { pid: process.pid, invocations, left, name: context.functionName, variable: process.env.VARIABLE };
}
`;

interface Answer {
  readonly pid: number;
  readonly invocations: number;
}

let log: number;
let local: LocalFunction;
const onFailure = vi.fn();

function functionOf(code: string, timeoutSeconds = 30, watchdog?: Watchdog): LocalFunction {
  const bundle = join(directory.path, `handler-${Math.random()}.mjs`);
  writeFileSync(bundle, code);
  return new LocalFunction(
    {
      name: "f",
      bundle,
      timeoutSeconds,
      memoryMb: 128,
      variables: { VARIABLE: "value" },
      log,
      ...(watchdog && { watchdog }),
    },
    { onActivity: () => {}, onFailure },
  );
}

const answerOf = async (event: object): Promise<Answer> => {
  const outcome = await local.invoke(event);
  expect(outcome.tag).toBe("returned");
  return (outcome as unknown as { result: Answer }).result;
};

afterAll(() => directory[Symbol.dispose]());
beforeEach(() => {
  log = openSync(devNull, "w");
  onFailure.mockReset();
  local = functionOf(HANDLER);
});
afterEach(async () => {
  await local.close();
  closeSync(log);
  await childrenEnded();
});

test("an environment is kept for the next invocation, and gets a Lambda context", async () => {
  const first = await answerOf({});
  expect(first).toMatchObject({ invocations: 1, name: "f", variable: "value" });
  expect(await answerOf({})).toMatchObject({ pid: first.pid, invocations: 2 });
  expect(await local.invoke({ nothing: true })).toEqual({ tag: "returned", result: null });
  expect(local.peakMemoryMb).toBeGreaterThan(10);
});

test("an invocation has its trace where the SDK reads it", async () => {
  for (const trace of ["Root=1-1-1;Lineage=a:1", "Root=1-2-2;Lineage=a:2"]) {
    expect(await local.invoke({ trace: true }, trace)).toEqual({ tag: "returned", result: trace });
  }
});

test("invocations at the same time each have their own environment", async () => {
  const answers = await Promise.all([answerOf({}), answerOf({}), answerOf({})]);
  expect(new Set(answers.map(({ pid }) => pid)).size).toBe(3);
});

describe.runIf(process.platform === "linux")("between two invocations", () => {
  /** The state of a process, from `proc(5)`: T is stopped. */
  const stateOf = (pid: number) => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];

  /** Makes an invocation that leaves a timer running. Each time the timer fires, the file grows. */
  const tick = async (ticking: LocalFunction, file = join(directory.path, `ticks-${Math.random()}`)) => {
    const outcome = await ticking.invoke({ ticks: file });
    const { pid } = (outcome as unknown as { readonly result: Answer }).result;
    return { pid, ticks: () => readFileSync(file).byteLength };
  };

  test("an environment is frozen, so that its timers do not fire", async () => {
    const watchdog = new Watchdog();
    const frozen = functionOf(HANDLER, 30, watchdog);
    try {
      const { pid, ticks } = await tick(frozen);
      await vi.waitUntil(() => stateOf(pid) === "T", { ...PATIENTLY, interval: 1 });
      const before = ticks();
      // The timer of an environment that is not frozen fires in the meantime.
      const other = await tick(local);
      const begin = other.ticks();
      await vi.waitUntil(() => other.ticks() > begin + 10, { ...PATIENTLY, interval: 1 });
      expect(ticks()).toBe(before);
      // The next invocation thaws the environment.
      expect((await tick(frozen)).pid).toBe(pid);
      expect(ticks()).toBeGreaterThan(before);
    } finally {
      await frozen.close();
      await watchdog.close();
    }
  });

  test("a frozen environment ends with its function, and after an engine that was killed", async () => {
    const watchdog = new Watchdog();
    const frozen = functionOf(HANDLER, 30, watchdog);
    const { pid } = await tick(frozen);
    // The watchdog's input ends, as it does when the engine is killed.
    await watchdog.close();
    await vi.waitUntil(() => !isAlive(pid), { ...PATIENTLY, interval: 1 });
    // Without a watchdog, an environment is not frozen, because nothing would end it.
    // The function may notice the end of its environment a moment later, and an invocation until then fails.
    const { pid: unwatched } = await vi.waitUntil(() => tick(frozen).catch(() => undefined), PATIENTLY);
    expect(stateOf(unwatched)).not.toBe("T");
    await frozen.close();
    expect(isAlive(unwatched)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("an error of the handler leaves the environment alive", async () => {
  const { pid } = await answerOf({});
  expect(await local.invoke({ throws: true })).toEqual({ tag: "threw", error: "Error: no luck" });
  expect(await answerOf({})).toMatchObject({ pid, invocations: 3 });
  expect(onFailure.mock.calls).toEqual([["f threw: Error: no luck"]]);
});

test.each([
  ["exits", { exit: 7 }, "exit code 7"],
  ["exits as if all were well", { exit: 0 }, "exit code 0"],
  ["is killed", { kill: true }, "signal SIGKILL"],
  ["throws what nobody catches", { stray: true }, "exit code 1"],
])("an environment that %s is replaced", async (_, event, error) => {
  const { pid } = await answerOf({});
  expect(await local.invoke(event)).toEqual({ tag: "crashed", error });
  const next = await answerOf({});
  expect(next.invocations).toBe(1);
  expect(next.pid).not.toBe(pid);
});

test("an invocation that takes too long ends its environment", async () => {
  const short = functionOf(HANDLER, 0.2);
  try {
    // Started before: the timeout is of the invocation alone.
    await short.invoke({});
    expect(await short.invoke({ hang: true })).toEqual({
      tag: "timed out",
      error: "the invocation took longer than 0.2 s",
    });
    // On a busy machine, an invocation that does nothing may take too long, too. Another environment then replaces its own.
    const next = await vi.waitUntil(async () => {
      const outcome = await short.invoke({});
      return outcome.tag === "returned" && outcome.result;
    }, PATIENTLY);
    expect(next).toMatchObject({ invocations: 1 });
  } finally {
    await short.close();
  }
});

test("a handler that cannot be loaded crashes each invocation", async () => {
  const broken = functionOf("throw new Error('no')");
  for (let time = 0; time < 2; time++) {
    expect(await broken.invoke({})).toMatchObject({ tag: "crashed", error: expect.stringContaining("exit code 1") });
  }
  await broken.close();
});

test("a closed function ends its invocations, and starts no others", async () => {
  const invocations = Array.from({ length: 6 }, () => local.invoke({ hang: true }));
  await local.close();
  for (const invocation of invocations) expect((await invocation).tag).toBe("crashed");
  expect((await local.invoke({})).tag).toBe("crashed");
});

test("a preparation tells how an environment died that cannot start, and keeps none of them", async () => {
  const broken = functionOf("process.exit(7);");
  const { first, all } = broken.prepare(2);
  expect([await first, await all]).toEqual(["exit code 7", "exit code 7"]);
  await broken.close();
  const preparation = local.prepare(2);
  expect([await preparation.first, await preparation.all]).toEqual([undefined, undefined]);
});

test("invocations during a preparation wait for its environments, and start no others", async () => {
  const { first, all } = local.prepare(3);
  const early = answerOf({});
  await first;
  const answers = await Promise.all([early, answerOf({}), answerOf({})]);
  await all;
  const pids = new Set(
    [...answers, ...(await Promise.all([answerOf({}), answerOf({}), answerOf({})]))].map(({ pid }) => pid),
  );
  expect(pids.size).toBe(3);
});

test("an invocation whose preparation fails starts an environment of its own", async () => {
  const broken = functionOf("process.exit(7);");
  broken.prepare(1);
  expect(await broken.invoke({})).toMatchObject({ tag: "crashed", error: expect.stringContaining("exit code 7") });
  await broken.close();
});
