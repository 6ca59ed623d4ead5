import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Engine } from "../../../local/engine.ts";
import type { DeadLetterEnvelope } from "../../../shared/messages/envelope.ts";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import {
  deadLetters,
  rawDeadLetters,
  startRun,
  startTestEngine,
  temporaryDirectory,
} from "../../helpers/test-engine.ts";
import { KINDS } from "../../helpers/workflows/mixed.ts";

const childrenEnded = await watchChildren();

const directory = temporaryDirectory();
let engine: Engine;
let dead: DeadLetterEnvelope[];

beforeAll(async () => {
  engine = await startTestEngine("mixed", directory.path);
  await startRun(engine, "mixed", "r1");
  await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", {
    ...PATIENTLY,
    interval: 50,
  });
  dead = await deadLetters(engine);
});

afterAll(async () => {
  await engine.close();
  directory[Symbol.dispose]();
  // No environment outlives its engine.
  await childrenEnded();
});

const deadLetterOf = (kind: string) => dead.filter(({ item }) => (item as { kind?: string })?.kind === kind);
const failuresOf = (kind: string) => deadLetterOf(kind).map(({ dead }) => dead.failures);

test("the run's counts are exact", async () => {
  const run = await engine.runs.get("r1");
  const produced = Object.values(KINDS).reduce<number>((a, b) => a + b, 5);
  expect(await engine.runs.counts(run)).toMatchObject({
    produced,
    succeeded: KINDS.good + KINDS["fails once"] + KINDS["asks for a delay"],
    dead: dead.length,
    pending: 0,
    // Each that failed twice was retried once. A wait is no failure.
    retried:
      KINDS["fails once"] +
      KINDS["always fails"] +
      KINDS["rejects with undefined"] +
      KINDS["ignores its signal"] +
      KINDS["heeds its signal"] +
      KINDS["fails in a timer"],
    deadByReason: {
      exhausted:
        KINDS["always fails"] +
        KINDS["rejects with undefined"] +
        KINDS["ignores its signal"] +
        KINDS["heeds its signal"] +
        KINDS["fails in a timer"],
      permanent: KINDS["fails for good"],
      "invalid item": 4,
      "too large": 1,
    },
  });
  expect(dead).toHaveLength(4 + 5 + 2 + 2 + 2 + 2 + 5);
});

test.each([
  ["always fails", "threw", "TypeError", "attempt 1"],
  ["rejects with undefined", "threw", "NonError", "thrown: undefined"],
  ["ignores its signal", "timed out", "TaskTimeoutError", "did not settle within 0.3 s"],
  ["heeds its signal", "timed out", "TaskTimeoutError", "did not settle within 0.3 s"],
  ["fails in a timer", "threw", "RangeError", "nobody catches this"],
] as const)("an item that %s lies in the dead-letter queue with both its attempts", (kind, how, name, message) => {
  expect(failuresOf(kind)).toHaveLength(KINDS[kind]);
  for (const failures of failuresOf(kind)) {
    expect(failures).toMatchObject([
      { attempt: 1, kind: how, name, message: expect.stringContaining(message) },
      { attempt: 2, kind: how, name },
    ]);
  }
});

test("an item that fails permanently has one attempt", () => {
  expect(failuresOf("fails for good")).toHaveLength(KINDS["fails for good"]);
  for (const failures of failuresOf("fails for good"))
    expect(failures).toMatchObject([{ attempt: 1, message: "gone" }]);
});

test("dead letters of items that are invalid, too large or not JSON have the reason and the item", () => {
  const odd = dead.filter(({ dead }) => dead.reason === "invalid item" || dead.reason === "too large");
  const shown = odd.map(({ item, dead }) => [
    dead.reason,
    dead.truncated ?? false,
    (typeof item === "string" ? item : JSON.stringify(item)).slice(0, 50),
  ]);
  expect(shown.sort()).toEqual(
    [
      ["invalid item", false, '{"id":"not a number","kind":"good"}'],
      ["invalid item", false, '{"id":1000,"kind":"unknown"}'],
      ["invalid item", true, "undefined"],
      ["invalid item", true, "{ id: NaN, kind: 'good' }"],
      ["too large", true, `{"id":1001,"kind":"good","text":"${"x".repeat(17)}`],
    ].sort(),
  );
});

test("no more tasks were in flight than were allowed, and nothing crashed", () => {
  expect(engine.activity.fleet.peakInFlight).toBeLessThanOrEqual(20);
  expect(engine.activity.fleet.peakInFlight).toBeGreaterThan(1);
  expect(engine.activity.fleet.failures).toEqual([]);
});

test("the queue is empty at the end", async () => {
  await vi.waitUntil(
    async () => {
      const { visible, inFlight, delayed } = await engine.queue.depth();
      return visible + inFlight + delayed === 0;
    },
    { ...PATIENTLY, interval: 20 },
  );
});

test("a foreign message goes to the dead-letter queue, unchanged and with the reason", async () => {
  const attributes = { colour: { DataType: "String", StringValue: "red" } };
  await engine.queue.sendAll([{ body: "😀 not ours", attributes }]);
  const [deadLetter] = await vi.waitUntil(
    async () => {
      const found = await rawDeadLetters(engine);
      return found.length > 0 && found;
    },
    { ...PATIENTLY, interval: 20 },
  );
  expect(deadLetter).toMatchObject({
    body: "😀 not ours",
    attributes: {
      ...attributes,
      SluiceReason: { StringValue: expect.stringContaining("malformed message: the body is not JSON") },
    },
  });
});
