import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ATTEMPT_CHANNEL, type AttemptEvent } from "../../../shared/base/events.ts";
import { PermanentError, RetryLater, Throttled } from "../../../shared/index.ts";
import { ConsumerWorld } from "../../helpers/consumer-world.ts";

let events: AttemptEvent[];
const onEvent = (event: unknown) => void events.push(event as AttemptEvent);

beforeEach(() => {
  events = [];
  subscribe(ATTEMPT_CHANNEL, onEvent);
});
afterEach(() => unsubscribe(ATTEMPT_CHANNEL, onEvent));

const ENDED = { event: "ended", milliseconds: expect.any(Number) };

test("Attempts and successes are published", async () => {
  const world = await ConsumerWorld.of(["a", "b"]);
  await world.consume({ task: () => {} }, world.messages());
  expect(events.filter(({ event }) => event === "started")).toEqual([{ event: "started" }, { event: "started" }]);
  expect(events.filter(({ event }) => event === "ended")).toEqual([ENDED, ENDED]);
  expect(events.at(0)).toEqual({ event: "started" });
  const counts = events.flatMap((each) => (each.event === "succeeded" ? each.count : []));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
});

test.each([
  ["a failure that is tried again", () => Promise.reject(new Error("no")), [{ event: "retried" }]],
  ["a throttled attempt", () => Promise.reject(new Throttled()), [{ event: "throttled" }]],
  ["an item that waits", () => Promise.reject(new RetryLater({ seconds: 5 })), []],
  ["a death", () => Promise.reject(new PermanentError("no")), [{ event: "died", reason: "permanent failure" }]],
])("Published is %s", async (_, task, expected) => {
  const world = await ConsumerWorld.of(["a"]);
  await world.consume({ task }, world.messages());
  expect(events[0]).toEqual({ event: "started" });
  const others = events.filter(({ event }) => event !== "started" && event !== "ended");
  expect(others.map(({ event }) => event)).toEqual(expected.map(({ event }) => event));
});

test("The death of a message that is no envelope is published with its reason, and no attempt", async () => {
  const world = await ConsumerWorld.of([]);
  await world.consume({ task: vi.fn() }, [world.raw("nonsense")]);
  expect(events).toEqual([{ event: "died", reason: "malformed message" }]);
});

test("A failed attempt after which another follows is published and logged with its failure, its number and the delay", async () => {
  const world = await ConsumerWorld.of(["a"]);
  const retry = { attempts: 3, backoff: { base: { milliseconds: 4_680 }, cap: { seconds: 5 } } };
  const logged = vi.spyOn(world.logger, "info");
  // random is 0.5, so the delay is 2.34 s.
  await world.consume({ task: () => Promise.reject(new TypeError("n".repeat(10_000))), retry }, world.messages());
  const failure = expect.stringMatching(/^TypeError: n{400,}… \(10011 characters\)$/);
  expect(events).toContainEqual({ event: "retried", failure });
  expect(logged).toHaveBeenCalledWith("attempt failed", {
    ...{ run: expect.any(String), page: 0, index: 0, epoch: 1, redrives: 0 },
    ...{ attempt: 1, attempts: 3, failure, nextInSeconds: 2.3 },
  });
  expect(world.logger.lines.filter((line) => line.includes("attempt failed"))).toEqual(["info: attempt failed"]);
});

test("A wait is no failed attempt, and writes no line", async () => {
  const world = await ConsumerWorld.of(["a", "b"]);
  const task = (item: unknown) => Promise.reject(item === "a" ? new RetryLater({ seconds: 5 }) : new Throttled());
  await world.consume({ task }, world.messages());
  expect(world.logger.lines.filter((line) => line.includes("attempt failed"))).toEqual([]);
});

test("A death is published with its reason, and logged with its failure", async () => {
  const world = await ConsumerWorld.of(["a"]);
  await world.consume({ task: () => Promise.reject(new PermanentError("no")) }, world.messages());
  const [died] = events.filter(({ event }) => event === "died");
  expect(died).toEqual({ event: "died", reason: world.deadLetters[0]?.dead.reason });
  expect(world.logger.lines.filter((line) => line.includes("dead letter"))).toHaveLength(1);
});
