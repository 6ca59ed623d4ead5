import { expect, test, vi } from "vitest";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import type { ContinueMessage } from "../../../shared/messages/control.ts";
import type { ProducerContext } from "../../../shared/producer/context.ts";
import { handleWaitMessage, recordWait, waitForSource } from "../../../shared/producer/source-waits.ts";
import { SourceWait } from "../../../shared/sources/source-wait.ts";
import { CREATED, RUN } from "../../helpers/ledger-rig.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";
import { RecordingMetrics, recordingLogger } from "../../helpers/recording-metrics.ts";

const NOW = 1_000_000;
const EIGHT_DAYS = 8 * 86_400_000;
const MESSAGE = { sluice: 1, type: "continue", run: RUN, workflow: "cities", hop: 4 } as unknown as ContinueMessage;

async function world({ random = 0.5 } = {}) {
  const { runs } = new Ledger(new MemoryStore(), () => NOW);
  const run = await runs.create(CREATED);
  const sent: { readonly body: string; readonly deduplicationId: string }[] = [];
  const slept: { readonly milliseconds: number; readonly signal: AbortSignal }[] = [];
  const controlQueue = { sendControl: async (entry: (typeof sent)[number]) => void sent.push(entry) };
  const logger = recordingLogger();
  const context = {
    runs,
    controlQueue,
    logger,
    metrics: new RecordingMetrics(),
    workflow: { name: "cities" },
    now: () => NOW,
    random: () => random,
    sleep: async (milliseconds: number, signal: AbortSignal) => void slept.push({ milliseconds, signal }),
  } as unknown as ProducerContext;
  return { runs, run, context, sent, slept, logger };
}

const asks = (until: number | undefined, reason = "busy") => new SourceWait(reason, until, undefined);
const control = (receiveCount = 1) => ({ id: "m1", body: "", group: RUN, receiveCount, sentAt: NOW });
const never = () => new AbortController().signal;
const sliceTime = (sliceEnd: number) => ({ sliceEnd, signal: never(), lost: never() });

test.each([
  [0, 2_500, 7_500],
  [0.5, 3_750, 7_500],
  [1, 5_000, 10_000],
])("a wait without a time is 5 s at first, and doubles: at random from half of it on (%s)", async (random, first) => {
  const { runs, run, context } = await world({ random });
  const pauses: number[] = [];
  for (let count = 0; count < 10; count++) {
    await recordWait(await runs.get(run.id), asks(undefined), [], context);
    pauses.push(((await runs.get(run.id)).wait?.until ?? 0) - NOW);
  }
  expect(pauses.slice(0, 3)).toEqual([first, 2 * first, 4 * first]);
  // No longer than a quarter of an hour.
  expect(pauses.slice(-2)).toEqual([first * 180, first * 180]);
});

test("a wait is recorded with its reason, cut to 500 characters, and with the time of the first one", async () => {
  const { runs, run, context, logger } = await world();
  expect(await recordWait(run, asks(NOW + 2_000, "x".repeat(600)), ["odd"], context)).toMatchObject({ tag: "waiting" });
  const recorded = await runs.get(RUN);
  expect(recorded).toMatchObject({ warnings: ["odd"], failedSlices: 0 });
  expect(recorded.wait).toEqual({ until: NOW + 2_000, since: NOW, count: 1, reason: "x".repeat(500) });
  await recordWait(recorded, asks(NOW + 9_000), [], { ...context, now: () => NOW + 3_000 });
  expect((await runs.get(RUN)).wait).toMatchObject({ since: NOW, count: 2, until: NOW + 9_000 });
  expect(logger.lines).toEqual(Array(2).fill("warn: the service asked the source to wait"));
});

test("a run waits for eight days, and no longer", async () => {
  const { runs, run, context } = await world();
  expect((await recordWait(run, asks(NOW + EIGHT_DAYS), [], context)).tag).toBe("waiting");
  expect(await recordWait(run, asks(NOW + EIGHT_DAYS + 1), [], context)).toEqual({ tag: "failed" });
  const failed = await runs.get(RUN);
  expect(failed.status).toBe("failed");
  expect(failed.failure).toMatch(
    /^the source asks to wait until .*\. A run waits for at most 192 h.* The service said: busy\./,
  );
});

test("a wait is no failure: the failed slices before it stay, and a checkpoint has reset them", async () => {
  const { runs, run, context } = await world();
  await runs.progress.recordSlice(run, 3, "no answer", []);
  await recordWait({ ...run, failedSlices: 2 }, asks(NOW + 1), [], context);
  expect((await runs.get(RUN)).failedSlices).toBe(2);
  await runs.progress.recordSlice(run, 0, "no answer", []);
  await recordWait({ ...run, failedSlices: 2 }, asks(NOW + 1), [], context);
  expect((await runs.get(RUN)).failedSlices).toBe(0);
});

test("a producer sleeps through a short wait, and then continues", async () => {
  const { run, context, sent, slept } = await world();
  const waiting = { ...run, wait: { until: NOW + 5_000, since: NOW, count: 1, reason: "busy" } };
  expect(await waitForSource(waiting, MESSAGE, sliceTime(NOW + 5_001), context)).toEqual({ tag: "again" });
  expect(slept.map(({ milliseconds }) => milliseconds)).toEqual([5_000]);
  expect(sent).toEqual([]);
});

test.each([
  ["is longer than 5 s", NOW + 5_001, NOW + 60_000],
  ["ends no earlier than the slice", NOW + 4_000, NOW + 4_000],
])("a wait that %s is left to a message", async (_, until, sliceEnd) => {
  const { run, context, sent, slept } = await world();
  const waiting = { ...run, wait: { until, since: NOW, count: 1, reason: "busy" } };
  expect(await waitForSource(waiting, MESSAGE, sliceTime(sliceEnd), context)).toEqual({ tag: "done" });
  expect(slept).toEqual([]);
  expect(sent).toHaveLength(1);
  expect(JSON.parse(sent[0]?.body ?? "")).toMatchObject({ run: RUN, workflow: "cities", hop: 4 });
});

test.each(["signal", "lost", "shutdown"] as const)(
  "a producer that must stop while it sleeps (%s) leaves the rest to a message",
  async (which) => {
    const { run, context, sent } = await world();
    const stop = new AbortController();
    const sleep = async (_: number, signal: AbortSignal) => {
      stop.abort();
      expect(signal.aborted).toBe(true);
    };
    const waiting = { ...run, wait: { until: NOW + 1_000, since: NOW, count: 1, reason: "busy" } };
    const time = { ...sliceTime(NOW + 60_000), [which]: stop.signal };
    expect(await waitForSource(waiting, MESSAGE, time, { ...context, sleep })).toEqual({ tag: "done" });
    expect(sent).toHaveLength(1);
  },
);

test("without a sleep of its own, a producer sleeps on the clock until the time or the signal", async () => {
  const { run, context } = await world();
  const { sleep: _, ...real } = context;
  const waiting = (milliseconds: number) => ({
    ...run,
    wait: { until: NOW + milliseconds, since: NOW, count: 1, reason: "" },
  });
  expect(await waitForSource(waiting(1), MESSAGE, sliceTime(NOW + 60_000), real)).toEqual({ tag: "again" });
  const time = { ...sliceTime(NOW + 60_000), signal: AbortSignal.abort() };
  expect(await waitForSource(waiting(4_000), MESSAGE, time, real)).toEqual({ tag: "done" });
  // The signal fires during the sleep.
  const stop = new AbortController();
  setImmediate(() => stop.abort());
  const stopped = { ...sliceTime(NOW + 60_000), signal: stop.signal };
  expect(await waitForSource(waiting(4_000), MESSAGE, stopped, real)).toEqual({ tag: "done" });
});

test("a wait is not recorded if another producer has advanced the run in between", async () => {
  const { runs, run, context } = await world();
  vi.spyOn(runs.progress, "latest").mockResolvedValueOnce(run);
  await runs.progress.checkpoint(run, { ...run.checkpoint, cursor: 1, pages: 1, items: 1 });
  expect(await recordWait(run, asks(NOW + 7_000), [], context)).toEqual({ tag: "superseded" });
  expect((await runs.get(RUN)).wait).toBeUndefined();
});

test("a wait message is hidden until the wait is over, and is then followed by a continuation", async () => {
  const { runs, run, context, sent } = await world();
  await recordWait(run, asks(NOW + 7_000), [], context);
  expect(await handleWaitMessage(MESSAGE, control(), context)).toEqual({ tag: "wait", milliseconds: 7_000 });
  // SQS hides a message for at most 12 hours.
  await recordWait(await runs.get(RUN), asks(NOW + EIGHT_DAYS), [], context);
  const hidden = await handleWaitMessage(MESSAGE, control(), context);
  expect(hidden).toEqual({ tag: "wait", milliseconds: expect.any(Number) });
  expect(hidden.tag === "wait" && hidden.milliseconds).toBeLessThanOrEqual(12 * 3_600_000);
  expect(sent).toEqual([]);
  expect(await handleWaitMessage(MESSAGE, control(), { ...context, now: () => NOW + EIGHT_DAYS })).toEqual({
    tag: "done",
  });
  expect(JSON.parse(sent[0]?.body ?? "")).toMatchObject({ type: "continue", run: RUN, hop: 1 });
});

test("a wait message that was received often is replaced", async () => {
  const { run, context, sent } = await world();
  await recordWait(run, asks(NOW + 7_000), [], context);
  expect(await handleWaitMessage(MESSAGE, control(49), context)).toMatchObject({ tag: "wait" });
  expect(await handleWaitMessage(MESSAGE, control(50), context)).toEqual({ tag: "done" });
  expect(sent).toEqual([expect.objectContaining({ deduplicationId: expect.stringMatching(/-after-m1$/) })]);
});

test("a wait message of a run that does not run, or is not there, is dropped", async () => {
  const { runs, run, context, sent } = await world();
  expect(await handleWaitMessage({ ...MESSAGE, run: "nobody" }, control(), context)).toEqual({ tag: "done" });
  // A run without a wait continues at once.
  expect(await handleWaitMessage(MESSAGE, control(), context)).toEqual({ tag: "done" });
  expect(sent).toHaveLength(1);
  await recordWait(run, asks(NOW + 7_000), [], context);
  await runs.pause(RUN);
  expect(await handleWaitMessage(MESSAGE, control(), context)).toEqual({ tag: "done" });
  expect(sent).toHaveLength(1);
});
