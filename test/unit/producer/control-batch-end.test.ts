import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Queue } from "../../../shared/aws/queue.ts";
import { type ControlBatchOptions, handleControlBatch } from "../../../shared/producer/control-batch.ts";
import type { Verdict } from "../../../shared/producer/verdict.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const record = (id: string) => ({
  id,
  receiptHandle: `handle-${id}`,
  body: "",
  group: "g",
  receiveCount: 1,
  sentAt: 0,
});

function batch(handle: (id: string) => Promise<Verdict>) {
  const changeVisibility = vi.fn(async (_handle: string, _milliseconds: number) => {});
  const logger = recordingLogger();
  const options: ControlBatchOptions = {
    producer: { handle: ({ id }) => handle(id) },
    controlQueue: { changeVisibility } as unknown as Queue,
    logger,
    visibilitySeconds: 30,
    sliceEnd: 1_000,
    signal: new AbortController().signal,
  };
  return { changeVisibility, logger, options };
}

test("all messages are hidden while the first is handled, and none any more after the batch", async () => {
  const handled: string[] = [];
  const { changeVisibility, options } = batch(async (id) => {
    handled.push(id);
    await vi.advanceTimersByTimeAsync(10_000);
    return { tag: "done" };
  });
  expect(await handleControlBatch([record("a"), record("b")], options)).toEqual([]);
  expect(handled).toEqual(["a", "b"]);
  const handles = changeVisibility.mock.calls.map(([handle]) => handle);
  expect(handles.filter((handle) => handle === "handle-b").length).toBeGreaterThan(2);
  expect(vi.getTimerCount()).toBe(0);
});

test("a producer that throws fails its batch, and no message stays hidden because of it", async () => {
  const { options } = batch(() => Promise.reject(new Error("a fault")));
  await expect(handleControlBatch([record("a"), record("b")], options)).rejects.toThrow("a fault");
  expect(vi.getTimerCount()).toBe(0);
});

test("a message that must wait is hidden for that time, and stays", async () => {
  const { changeVisibility, options, logger } = batch(async () => ({ tag: "wait", milliseconds: 45_000 }));
  expect(await handleControlBatch([record("a")], options)).toEqual(["a"]);
  expect(changeVisibility.mock.calls).toEqual([
    ["handle-a", 30_000],
    ["handle-a", 45_000],
  ]);
  expect(logger.lines).toEqual([]);
});

test("a message that was lost stays, and a warning says which one and why", async () => {
  const { changeVisibility, options, logger } = batch(async () => {
    changeVisibility.mockRejectedValueOnce(Object.assign(new Error("gone"), { name: "MessageNotInflight" }));
    await vi.advanceTimersByTimeAsync(10_000);
    return { tag: "left" };
  });
  expect(await handleControlBatch([record("a")], options)).toEqual(["a"]);
  expect(logger.fieldsOf("the producer lost its control message, and another producer continues")).toEqual({
    message: "a",
    error: expect.objectContaining({ name: "MessageNotInflight" }),
  });
});

test("a message that the producer leaves to another one stays, and a warning says so", async () => {
  const { changeVisibility, options, logger } = batch(async () => ({ tag: "left" }));
  expect(await handleControlBatch([record("a")], options)).toEqual(["a"]);
  expect(changeVisibility).toHaveBeenCalledTimes(1);
  expect(logger.lines).toEqual(["warn: the producer lost its control message, and another producer continues"]);
});
