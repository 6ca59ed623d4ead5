import { expect, test, vi } from "vitest";
import { sampleBacklog } from "../../../shared/producer/backlog-sample.ts";
import type { ProducerContext } from "../../../shared/producer/context.ts";
import { serialise, textOf } from "../../../shared/producer/serialised.ts";
import { WarningCollector } from "../../../shared/producer/warning-collector.ts";
import { UnreadableItem } from "../../../shared/sources/unreadable-item.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";

function context(visible: number, pausedItems: () => Promise<number>, maxBacklog = 100) {
  const logger = recordingLogger();
  const pendingOfPausedRuns = vi.fn(pausedItems);
  const depth = async () => ({ visible, inFlight: 3, delayed: 2 });
  const options = { queue: { depth }, runs: { pendingOfPausedRuns }, workflow: { concurrency: 10 } };
  const whole = { ...options, maxBacklog, logger, now: () => 5_000 } as unknown as ProducerContext;
  return { whole, logger, pendingOfPausedRuns };
}

test("a queue with room needs no question about paused runs", async () => {
  const { whole, pendingOfPausedRuns } = context(94, async () => 50);
  expect(await sampleBacklog(7, whole)).toEqual({ at: 5_000, produced: 7, backlog: 99 });
  expect(pendingOfPausedRuns).not.toHaveBeenCalled();
});

test("the messages of paused runs fill no queue, and there is nothing to warn of", async () => {
  const { whole, logger } = context(95, async () => 1);
  expect(await sampleBacklog(7, whole)).toEqual({ at: 5_000, produced: 7, backlog: 99 });
  expect(logger.lines).toEqual([]);
});

test("a queue that is full with the messages of this run alone is no reason to warn", async () => {
  const { whole, logger } = context(95, async () => 0);
  expect((await sampleBacklog(7, whole)).backlog).toBe(100);
  expect(logger.lines).toEqual([]);
});

test("a queue that is full without the messages of paused runs is told of, from the first message on", async () => {
  const { whole, logger } = context(105, async () => 10);
  expect((await sampleBacklog(7, whole)).backlog).toBe(100);
  expect(logger.lines).toEqual([
    "warn: the queue is full, partly with messages of paused runs: resume or cancel a paused run",
  ]);
  expect(
    logger.fieldsOf("the queue is full, partly with messages of paused runs: resume or cancel a paused run"),
  ).toEqual({ backlog: 110, pausedItems: 10 });
});

test("a ledger that does not answer makes the messages of paused runs count", async () => {
  const { whole, logger } = context(200, () => Promise.reject(new Error("no answer")));
  expect((await sampleBacklog(7, whole)).backlog).toBe(205);
  expect(logger.lines).toEqual([]);
});

test("a warning is logged once, and no more than ten are, with those of earlier slices", () => {
  const logger = recordingLogger();
  const earlier = Array.from({ length: 8 }, (_, index) => `earlier ${index}`);
  const collector = new WarningCollector({ id: "r", warnings: earlier }, logger);
  for (const text of ["earlier 3", "a", "a", "b", "c"]) collector.warn(text);
  expect(collector.all).toEqual([...earlier, "a", "b"]);
  expect(logger.lines).toEqual(["warn: the source warns: a", "warn: the source warns: b"]);
});

test("an item that the source could not read keeps its text and its place", () => {
  const item = serialise(new UnreadableItem({ raw: "x,y", error: "no id", at: "row 3" }));
  expect(item).toMatchObject({ text: "x,y", error: { code: "INVALID_ITEM", message: "row 3: no id" } });
  expect(textOf(item)).toBe("x,y");
});

test("an item that is not JSON is shown, but not all of it", () => {
  const item = { a: { b: { c: { d: { e: { f: 1 } } } } }, long: "x".repeat(2_000), f: () => 1 };
  const text = textOf(serialise(item));
  expect(text).toContain("[Function: f]");
  expect(text).toMatch(/x{1000}(?!x)/);
  expect(text).toContain("e: [Object]");
});

test("an item that cannot even be shown says what it is", () => {
  const hostile = {
    [Symbol.for("nodejs.util.inspect.custom")]: () => {
      throw new Error("not for you");
    },
    f: () => 1,
  };
  expect(textOf(serialise(hostile))).toBe("[object Object]");
});
