import { expect, test, vi } from "vitest";
import type { Queue } from "../../../shared/aws/queue.ts";
import type { ReceivedMessage } from "../../../shared/aws/received-message.ts";
import { Intake } from "../../../shared/consumer/slots/intake.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** An intake for twenty slots. Its requests wait until the test answers them. */
function intakeOf(batch: number, visible = 0) {
  const clock = { now: 0 };
  const polls: ((messages: readonly ReceivedMessage[]) => void)[] = [];
  const receive = () => new Promise<readonly ReceivedMessage[]>((resolve) => polls.push(resolve));
  const depth = vi.fn(async () => ({ visible, inFlight: 0, delayed: 0 }));
  const queue = { receive, depth } as unknown as Queue;
  const refill = { until: 60_000, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 30 };
  const state = { slots: 20, attempting: 0, withoutSlot: 0, isProducing: false, meanMilliseconds: 1_000 };
  const onNotNeeded = vi.fn();
  const received = vi.fn();
  const intake = new Intake(
    { queue, refill, concurrency: 10, tasksPerEnvironment: 10, logger: recordingLogger(), now: () => clock.now },
    { slotState: () => ({ now: clock.now, ...state }), receive: received, onChange: () => {}, onNotNeeded },
  );
  intake.noteBatch(batch);
  /** Plans a request while so many attempts run. Returns whether messages are expected, before the request is sent. */
  const plan = async (attempting = 19) => {
    state.attempting = attempting;
    intake.plan();
    const { isExpecting } = intake;
    await turn();
    return isExpecting;
  };
  return { intake, clock, polls, depth, received, onNotNeeded, plan };
}

test("After a full batch, messages are expected from the moment a request is planned, for ten milliseconds", async () => {
  const { intake, clock, polls, plan } = intakeOf(10);
  expect(intake.isExpecting).toBe(false);
  expect(await plan()).toBe(true);
  expect(polls).toHaveLength(1);
  clock.now = 9;
  expect(intake.isExpecting).toBe(true);
  clock.now = 10;
  // A queue that holds messages would have answered.
  expect(intake.isExpecting).toBe(false);
  expect(intake.isActive).toBe(true);
});

test("A new request is not expected to bring messages while an older one waits", async () => {
  const { intake, clock, polls, received, plan } = intakeOf(10);
  await plan();
  clock.now = 10;
  await plan(18);
  expect(polls).toHaveLength(2);
  expect(intake.isExpecting).toBe(false);
  // The first request is answered. Now the second one is the oldest.
  const message = {} as ReceivedMessage;
  polls[0]?.([message]);
  await turn();
  expect(received).toHaveBeenCalledExactlyOnceWith([message], 0);
  expect(intake.isExpecting).toBe(true);
});

test("No messages are expected from a queue that gave few messages", async () => {
  const { intake, polls, plan } = intakeOf(9);
  expect(await plan()).toBe(false);
  expect(polls).toHaveLength(1);
  expect(intake.isExpecting).toBe(false);
});

test("The backlog is asked for only while few slots are free", async () => {
  const { depth, polls, plan } = intakeOf(10, 100);
  await plan(10);
  expect(depth).not.toHaveBeenCalled();
  expect(polls).toHaveLength(1);
  await plan(15);
  expect(depth).toHaveBeenCalledTimes(1);
});

test("The backlog is asked for while attempts run, also during a long request, and not afterwards", async () => {
  const { clock, depth, plan } = intakeOf(10, 100);
  await plan(19);
  expect(depth).toHaveBeenCalledTimes(1);
  clock.now = 1_500;
  await plan(20);
  expect(depth).toHaveBeenCalledTimes(2);
  clock.now = 3_000;
  await plan(0);
  await turn();
  expect(depth).toHaveBeenCalledTimes(2);
});

test("When nothing runs, one turn passes before the request is sent, in which outcomes are recorded", async () => {
  const { intake, polls, plan } = intakeOf(10);
  await plan(0);
  expect(intake.isActive).toBe(true);
  expect(polls).toEqual([]);
  await turn();
  expect(polls).toHaveLength(2);
});

test("A planned request that is not needed any more is reported and not sent", async () => {
  const { intake, polls, onNotNeeded, plan } = intakeOf(9);
  const planned = plan(20);
  expect(intake.isActive).toBe(true);
  await planned;
  expect(intake.isActive).toBe(false);
  expect(polls).toEqual([]);
  expect(onNotNeeded).toHaveBeenCalledTimes(1);
});

test("After the end, no request is sent", async () => {
  const { intake, depth, polls, plan } = intakeOf(10, 100);
  intake.end();
  await plan(10);
  await turn();
  expect([polls, depth.mock.calls]).toEqual([[], []]);
});
