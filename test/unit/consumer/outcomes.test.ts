import { describe, expect, test, vi } from "vitest";
import { messageBytes } from "../../../shared/aws/queue.ts";
import { LARGEST_MESSAGE_BYTES } from "../../../shared/aws/quotas.ts";
import { requestedWait } from "../../../shared/consumer/attempts/attempt.ts";
import { ItemAttempts } from "../../../shared/consumer/attempts/item-attempts.ts";
import { maybeRunningUntil, type PendingState } from "../../../shared/consumer/attempts/receive-history.ts";
import { CodeWatch } from "../../../shared/consumer/code-watch.ts";
import { DeadLettering } from "../../../shared/consumer/outcomes/dead-lettering.ts";
import { FailedAttempts } from "../../../shared/consumer/outcomes/failed-attempts.ts";
import { finalReason } from "../../../shared/consumer/outcomes/final-reason.ts";
import { ItemDeaths } from "../../../shared/consumer/outcomes/item-deaths.ts";
import { ItemReturns } from "../../../shared/consumer/outcomes/item-returns.ts";
import { nextStep } from "../../../shared/consumer/outcomes/next-step.ts";
import { topology } from "../../../shared/definition/topology.ts";
import { defineWorkflow, RetryLater } from "../../../shared/index.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { deadLetterBody } from "../../../shared/messages/dead-letter.ts";
import { type Envelope, envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import type { ItemMessage } from "../../../shared/messages/item-message.ts";
import { failureOf } from "../../helpers/failures.ts";
import { FakeSqs } from "../../helpers/fake-sqs.ts";
import { CREATED, RUN } from "../../helpers/ledger-rig.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";
import { RecordingMetrics, recordingLogger } from "../../helpers/recording-metrics.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

const NOW = 1_000_000;

function itemOf(receiveCount = 1, changes: Partial<Envelope> = {}): ItemMessage {
  const header = { workflow: "test", run: RUN, partition: 0, page: 0, epoch: 1, resent: false };
  const body = envelopeBody(header, 0, { json: '"a"' });
  const message = { id: "m", receiptHandle: "h", body, receiveCount, attributes: {} };
  return { message, envelope: { ...parseEnvelope(body), ...changes } };
}

const pending = (changes: Partial<PendingState> = {}): PendingState => ({
  tag: "pending",
  failures: [],
  final: undefined,
  receives: new Map(),
  ...changes,
});
const failed = (count: number) => Array.from({ length: count }, (_, at) => failureOf(new Error("no"), at + 1));
const failure = (kind: "threw" | "invalid" | "timed out", thrown = new Error("no")) =>
  ({ tag: "failed", kind, thrown, startedAt: NOW, endedAt: NOW + 5 }) as const;

async function surroundings(attempts = 3) {
  const ledger = new Ledger(new MemoryStore(), () => NOW);
  await ledger.runs.create({ ...CREATED, codeVersion: "v1" });
  await ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 2, digest: "d" });
  const sqs = new FakeSqs();
  const metrics = new RecordingMetrics();
  const logger = recordingLogger();
  const options = {
    workflow: defineWorkflow(workflowOptions({ retry: { attempts } })),
    ...{ ledger, metrics, logger, runs: ledger.runs },
    queue: sqs.queue("https://sqs/queue"),
    controlQueue: sqs.queue("https://sqs/control"),
    deadLetterQueue: sqs.queue("https://sqs/dead-letters"),
    now: () => NOW,
    random: () => 0.5,
  };
  return { ledger, sqs, metrics, logger, options };
}

describe("A failed attempt", () => {
  test("is the last one if it is as many as the workflow gives", () => {
    const threw = { kind: "threw", thrown: new Error("no") } as const;
    expect([2, 3, 4].map((made) => finalReason(threw, made, 3))).toEqual([undefined, "exhausted", "exhausted"]);
    expect(finalReason({ ...threw, kind: "invalid" }, 1, 3)).toBe("invalid item");
  });

  test("has its number", async () => {
    const { options } = await surroundings();
    const attempts = new FailedAttempts(options);
    const first = await attempts.recordFailure(itemOf(1), pending(), failure("threw"));
    expect(first).toMatchObject({ tag: "retry", failure: { attempt: 1 } });
    const before = failed(2);
    const last = await attempts.recordFailure(itemOf(3), pending({ failures: before }), failure("threw"));
    expect(last).toMatchObject({ tag: "dead", reason: "exhausted" });
    expect(last.tag === "dead" && last.history.failures.at(-1)).toMatchObject({ attempt: 3 });
  });

  test("is the last one if the ledger has other failures of the item", async () => {
    const { options, ledger } = await surroundings(2);
    const attempts = new FailedAttempts(options);
    vi.spyOn(ledger.attempts, "recordFailure").mockResolvedValue(failed(2));
    expect(await attempts.recordFailure(itemOf(), pending(), failure("threw"))).toMatchObject({
      tag: "dead",
      reason: "exhausted",
    });
    vi.spyOn(ledger.attempts, "recordFailure").mockResolvedValue(failed(1));
    expect(await attempts.recordFailure(itemOf(), pending(), failure("threw"))).toMatchObject({ tag: "retry" });
  });

  test("of an invalid item tells the run what is wrong, and only that", async () => {
    const { options, ledger } = await surroundings();
    const attempts = new FailedAttempts(options);
    await attempts.recordFailure(itemOf(), pending(), failure("threw"));
    expect((await ledger.runs.get(RUN)).invalidFinding).toBeUndefined();
    const dead = await attempts.recordFailure(itemOf(2), pending(), failure("invalid", new Error("`email` missing")));
    expect(dead).toMatchObject({ tag: "dead", reason: "invalid item" });
    expect((await ledger.runs.get(RUN)).invalidFinding).toMatchObject({ fault: "`…` missing" });
  });

  test("of an invalid item says that the run began with other code", async () => {
    const { options, ledger } = await surroundings();
    const attempts = new FailedAttempts({ ...options, codeWatch: new CodeWatch(ledger.runs, "v2") });
    const dead = await attempts.recordFailure(itemOf(), pending(), failure("invalid", new Error("no email")));
    const message = dead.tag === "dead" ? dead.history.failures.at(-1)?.message : undefined;
    expect(message).toMatch(/^no email \(the run began with code version v1, and version v2 rejects this item\. /);
    const threw = await attempts.recordFailure(itemOf(2), pending(), failure("threw", new Error("no email")));
    expect(threw.tag).toBe("retry");
  });

  test("of an invalid item keeps that note, however long its message is and however little room a row has", async () => {
    const { options, ledger } = await surroundings(100);
    const attempts = new FailedAttempts({ ...options, codeWatch: new CodeWatch(ledger.runs, "v2") });
    const long = new Error("x".repeat(100_000));
    const dead = await attempts.recordFailure(itemOf(), pending({ failures: failed(50) }), failure("invalid", long));
    const message = (dead.tag === "dead" && dead.history.failures.at(-1)?.message) || "";
    expect(message).toContain("version v2 rejects this item");
    expect(message).toMatch(/^x{100}/);
    expect(message.length).toBeLessThan(8_000);
  });

  test("asks for a wait only by what the task threw", () => {
    const later = new RetryLater({ minutes: 1 });
    expect(requestedWait(failure("threw", later))).toMatchObject({ kind: "retryLater" });
    expect(requestedWait(failure("timed out", later))).toBeUndefined();
    expect(requestedWait({ tag: "succeeded", startedAt: NOW, endedAt: NOW })).toBeUndefined();
  });
});

describe("The death of an item", () => {
  test.each([
    ["exhausted", 2],
    ["unexplained", 3],
    ["waited too long", 3],
  ] as const)("with the reason %s counts %i of its 3 failures as retries", async (reason, retries) => {
    const { options, ledger, metrics } = await surroundings();
    await new ItemDeaths(options).record(itemOf(), reason, { failures: failed(3) });
    await ledger.outcomes.recordSuccesses({
      ...{ run: RUN, partition: 0, page: 0, epoch: 1 },
      items: [{ index: 1, failures: 0, redriveGeneration: 0 }],
    });
    const run = await ledger.runs.get(RUN);
    await ledger.runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages: 1, items: 2, ended: true });
    expect(await ledger.runs.counts(await ledger.runs.get(RUN))).toMatchObject({ dead: 1, retried: retries });
    expect(metrics.counts).toMatchObject({ deadLettered: 1 });
  });

  test("that was recorded before sends no dead letter, and is not counted again", async () => {
    const { options, ledger, metrics, sqs } = await surroundings();
    await ledger.outcomes.recordSuccesses({
      ...{ run: RUN, partition: 0, page: 0, epoch: 1 },
      items: [{ index: 0, failures: 0, redriveGeneration: 0 }],
    });
    expect(await new ItemDeaths(options).record(itemOf(), "exhausted", { failures: failed(1) })).toEqual({
      tag: "delete",
    });
    expect(sqs.sent).toEqual([]);
    expect(metrics.counts).toEqual({});
  });

  test("says whether it has sent a dead letter", async () => {
    const { options, sqs } = await surroundings();
    const deadLettering = new DeadLettering(options);
    const move = () => deadLettering.moveItem(itemOf().envelope, "exhausted", { failures: failed(1) }, 0);
    expect(await move()).toEqual({ tag: "dead-lettered" });
    expect(await move()).toEqual({ tag: "not needed" });
    expect(sqs.sent).toHaveLength(1);
  });

  test("of which only a part of the item is known repeats the reason of its dead letter", () => {
    const { envelope } = itemOf();
    const body = deadLetterBody(envelope, { reason: "too large", at: new Date(NOW).toISOString(), failures: [] });
    const letter = parseEnvelope(body);
    const item = itemOf();
    const dead = { ...letter.dead, truncated: true } as NonNullable<Envelope["dead"]>;
    const situation = { mode: "work", pausedMilliseconds: 0, now: NOW, attempts: 3, state: pending() } as const;
    const of = (envelope: Envelope) => nextStep({ ...situation, item: { ...item, envelope } });
    expect(of({ ...letter, dead })).toMatchObject({ tag: "dead", reason: "too large" });
    expect(of(letter)).toMatchObject({ tag: "attempt" });
  });
});

test("A message that is not of this workflow gets a reason if both fit into a message exactly", async () => {
  const { options, sqs } = await surroundings();
  const deadLettering = new DeadLettering(options);
  const SluiceReason = { DataType: "String", StringValue: "malformed message: no" };
  const room = LARGEST_MESSAGE_BYTES - messageBytes({ body: "", attributes: { SluiceReason } });
  for (const bytes of [room, room + 1]) {
    await deadLettering.moveForeign({ ...itemOf().message, body: "x".repeat(bytes) }, new Error("no"));
  }
  expect(sqs.sent.map(({ attributes }) => attributes)).toEqual([{ SluiceReason }, {}]);
});

describe("A message that returns", () => {
  test("is replaced near the queue's receive limit, with its delay in seconds", async () => {
    const { options, sqs } = await surroundings();
    const returns = new ItemReturns(options);
    expect(await returns.after(itemOf(10_000), 4_001)).toEqual({ tag: "delete" });
    expect(sqs.sent).toMatchObject([{ delaySeconds: 5 }]);
    expect(await returns.after(itemOf(1), 4_001)).toEqual({ tag: "return", afterMilliseconds: 4_001 });
  });

  test("is replaced from half of a limit on, so that the other half remains for crashes", async () => {
    const { options } = await surroundings();
    const returns = new ItemReturns(options);
    const { maxReceiveCount, retentionSeconds } = topology(options.workflow).queue;
    const dispositionOf = async (receiveCount: number, ageMilliseconds: number) => {
      const item = itemOf(receiveCount);
      const message = { ...item.message, sentAt: NOW - ageMilliseconds };
      return (await returns.after({ ...item, message }, 0)).tag;
    };
    const [half, halfOfTime] = [maxReceiveCount / 2, (retentionSeconds * 1_000) / 2];
    expect([await dispositionOf(half - 1, 0), await dispositionOf(half, 0)]).toEqual(["return", "delete"]);
    expect([await dispositionOf(1, halfOfTime - 1), await dispositionOf(1, halfOfTime)]).toEqual(["return", "delete"]);
  });

  test("is replaced if it would be half as old as the queue keeps messages", async () => {
    const { options } = await surroundings();
    const returns = new ItemReturns(options);
    const sent = (daysAgo: number) => {
      const item = itemOf();
      return { ...item, message: { ...item.message, sentAt: NOW - daysAgo * 86_400_000 } };
    };
    const dispositionAfter = async (daysAgo: number, milliseconds: number) =>
      (await returns.after(sent(daysAgo), milliseconds)).tag;
    expect([await dispositionAfter(4, 1_000), await dispositionAfter(6, 1_000)]).toEqual(["return", "delete"]);
    // It is hidden for 12 h at most, however long its delay is.
    expect(await dispositionAfter(4, 30 * 86_400_000)).toBe("return");
  });
});

describe("An attempt that runs alone", () => {
  const began = (...times: readonly number[]) =>
    pending({
      receives: new Map(times.map((_, receive) => [receive + 1, "alone"])),
      began: new Map(times.map((time, receive) => [receive + 1, time])),
    });

  test("may still be running until its timeout, and a moment longer", () => {
    const until = (...times: readonly number[]) => maybeRunningUntil(itemOf(9), began(...times), 10_000, NOW);
    expect(until(NOW - 1_000)).toBe(NOW + 14_000);
    expect(until(NOW - 14_999)).toBe(NOW + 1);
    expect(until(NOW - 15_000)).toBeUndefined();
    expect(until(NOW - 20_000, NOW - 3_000)).toBe(NOW + 12_000);
    expect(until(NOW - 3_000, NOW - 20_000)).toBe(NOW + 12_000);
    // An earlier version of Sluice did not store when the first of two attempts began.
    const onlySecond = { ...began(0, 0), began: new Map([[2, NOW - 3_000]]) };
    expect(maybeRunningUntil(itemOf(9), onlySecond, 10_000, NOW)).toBe(NOW + 12_000);
    // The clock was set back, by more than a clock may differ.
    expect(until(NOW + 5_000)).toBe(NOW + 20_000);
    expect(until(NOW + 5_001)).toBeUndefined();
    expect(until()).toBeUndefined();
  });
});

describe("An attempt", () => {
  async function attempt(envelope: Partial<Envelope>, workflow: Parameters<typeof workflowOptions>[0] = {}) {
    const { options } = await surroundings();
    const taskLogger = vi.fn(() => recordingLogger());
    const attempts = new ItemAttempts({
      ...options,
      workflow: defineWorkflow(workflowOptions(workflow)),
      ...{ taskLogger, now: Date.now, memoryMb: 512 },
    } as unknown as ConstructorParameters<typeof ItemAttempts>[0]);
    const made = await attempts.attempt(itemOf(1, envelope), pending(), Number.POSITIVE_INFINITY);
    return { made, fields: taskLogger.mock.calls[0] };
  }

  test("logs with the place of its item", async () => {
    expect((await attempt({})).fields).toEqual([{ run: RUN, page: 0, index: 0, attempt: 1 }]);
    expect((await attempt({ partition: 3 })).fields).toEqual([
      { run: RUN, partition: 3, page: 0, index: 0, attempt: 1 },
    ]);
  });
});
