import { setImmediate } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import type { Cursor } from "../../../shared/index.ts";
import { continueEntry } from "../../../shared/messages/control.ts";
import { type ControlRecord, handleControlBatch } from "../../../shared/producer/control-batch.ts";
import type { Producer } from "../../../shared/producer/producer.ts";
import type { SliceTime } from "../../../shared/producer/slice-time.ts";
import type { Verdict } from "../../../shared/producer/verdict.ts";
import { FakeSqs } from "../../helpers/fake-sqs.ts";
import { CONTROL, ProducerWorld, RUN } from "../../helpers/producer-world.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";

afterEach(() => vi.useRealTimers());

const record = (id: string): ControlRecord => ({
  ...{ id, receiptHandle: `${id}'s`, body: "", group: "" },
  ...{ receiveCount: 1, sentAt: 0 },
});

function batch(handle: Producer["handle"], sqs = new FakeSqs(), records = [record("a")]) {
  const logger = recordingLogger();
  const ids = handleControlBatch(records, {
    producer: { handle },
    controlQueue: sqs.queue(CONTROL),
    logger,
    visibilitySeconds: 30,
    sliceEnd: 0,
    signal: new AbortController().signal,
  });
  return { ids, sqs, logger };
}

const hidden = (seconds: number, receiptHandle = "a's") => ({ receiptHandle, seconds });

test("a control message is hidden for 30 s, and deleted when it is done", async () => {
  const { ids, sqs } = batch(async () => ({ tag: "done" }));
  expect(await ids).toEqual([]);
  expect(sqs.visibilities).toEqual([hidden(30)]);
});

test.each([
  { receiveCount: 1, waits: "does not wait" },
  { receiveCount: 2, waits: "waits" },
])("a message of receive count $receiveCount $waits for the answer that it is hidden", async ({ receiveCount }) => {
  const sqs = new FakeSqs();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  sqs.before = () => {
    asked.resolve();
    return answered;
  };
  const handled: string[] = [];
  const handle = async (): Promise<Verdict> => {
    handled.push("handled");
    return { tag: "done" };
  };
  const { ids } = batch(handle, sqs, [{ ...record("a"), receiveCount }]);
  await asked.promise;
  await setImmediate();
  expect(handled).toEqual(receiveCount === 1 ? ["handled"] : []);
  answer();
  expect(await ids).toEqual([]);
  expect(handled).toEqual(["handled"]);
});

test("a message that must wait stays on the queue, hidden for the wait", async () => {
  const { ids, sqs } = batch(async () => ({ tag: "wait", milliseconds: 90_000 }));
  expect(await ids).toEqual(["a"]);
  expect(sqs.visibilities).toEqual([hidden(30), hidden(90)]);
});

test("each message of a batch is hidden from other producers until it has been handled", async () => {
  vi.useFakeTimers();
  const sqs = new FakeSqs();
  const handle = vi.fn(async (): Promise<Verdict> => {
    await vi.advanceTimersByTimeAsync(10_000);
    return { tag: "done" };
  });
  await batch(handle, sqs, [record("a"), record("b")]).ids;
  expect(sqs.visibilities).toEqual([
    ...[hidden(30), hidden(30, "b's")],
    ...[hidden(30), hidden(30, "b's")],
    hidden(30, "b's"),
  ]);
});

test("a message that was delivered too late is not handled", async () => {
  const sqs = new FakeSqs();
  sqs.before = () => Promise.reject(Object.assign(new Error("not in flight"), { name: "MessageNotInflight" }));
  const handle = vi.fn();
  const { ids, logger } = batch(handle, sqs, [{ ...record("a"), receiveCount: 2 }]);
  expect(await ids).toEqual(["a"]);
  expect(handle).not.toHaveBeenCalled();
  expect(logger.lines).toEqual(["warn: a control message was delivered too late, and another producer has it"]);
  expect(logger.fieldsOf("a control message was delivered too late, and another producer has it")).toEqual({
    message: "a",
  });
});

test("a lost message is not hidden from its new producer, whatever the old producer's verdict is", async () => {
  vi.useFakeTimers();
  const sqs = new FakeSqs();
  const handle = async (): Promise<Verdict> => {
    sqs.before = () => Promise.reject(Object.assign(new Error("another has it"), { name: "MessageNotInflight" }));
    await vi.advanceTimersByTimeAsync(10_000);
    sqs.before = () => {};
    return { tag: "wait", milliseconds: 90_000 };
  };
  expect(await batch(handle, sqs).ids).toEqual(["a"]);
  expect(sqs.visibilities).toEqual([hidden(30)]);
});

test("a message whose producer throws stays hidden for at most 30 s", async () => {
  const { ids, sqs } = batch(() => Promise.reject(new Error("DynamoDB is down")));
  await expect(ids).rejects.toThrow("DynamoDB is down");
  expect(sqs.visibilities).toEqual([hidden(30)]);
});

test("a renewal that SQS refuses ends the slice after the current page, and the message is left to its new producer", async () => {
  vi.useFakeTimers();
  const readPage = vi.fn(async (cursor: Cursor = 0) => {
    // The second page takes so long that the first renewal happens during it.
    if (cursor === 1) await vi.advanceTimersByTimeAsync(10_000);
    return { items: [cursor], next: Number(cursor) + 1 };
  });
  const world = new ProducerWorld({ source: { readPage } });
  await world.start();
  let renewals = 0;
  world.sqs.before = (action) => {
    if (action === "changeVisibility" && ++renewals === 2) {
      throw Object.assign(new Error("another has it"), { name: "MessageNotInflight" });
    }
  };
  const entry = continueEntry({ workflow: "test", run: RUN, hop: 1 });
  const { ids } = batch(
    async (_, time: SliceTime) => world.handle(entry, 1, { ...time, sliceEnd: Number.POSITIVE_INFINITY }),
    world.sqs,
  );
  expect(await ids).toEqual(["a"]);
  expect(world.items).toEqual([0, 1]);
  expect(await world.run()).toMatchObject({ failedSlices: 0, checkpoint: { cursor: 2, pages: 2 } });
  // The producer that has the message sends the next continuation. The message's visibility is not changed any more.
  expect(world.hops).toEqual([1]);
  expect(world.sqs.visibilities).toEqual([hidden(30)]);
});

test("a page that never ends is abandoned 10 s after the message was lost, and no failure is recorded", async () => {
  vi.useFakeTimers();
  const world = new ProducerWorld({ source: { readPage: () => new Promise<never>(() => {}) } });
  await world.start();
  let renewals = 0;
  world.sqs.before = (action) => {
    if (action === "changeVisibility" && ++renewals === 2) {
      throw Object.assign(new Error("another has it"), { name: "MessageNotInflight" });
    }
  };
  const entry = continueEntry({ workflow: "test", run: RUN, hop: 1 });
  const { ids } = batch(async (_, time: SliceTime) => world.handle(entry, 1, time), world.sqs);
  const settled = vi.fn();
  void ids.then(settled);
  await vi.advanceTimersByTimeAsync(19_000);
  expect(settled).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1_500);
  expect(await ids).toEqual(["a"]);
  // The slice was counted as failed when it began, in case the producer dies.
  expect(await world.run()).toMatchObject({ failedSlices: 1, sliceError: undefined });
});
