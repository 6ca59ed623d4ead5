import { expect, test, vi } from "vitest";
import type { Queue } from "../../../shared/aws/queue.ts";
import type { ReceivedMessage } from "../../../shared/aws/received-message.ts";
import { Intake } from "../../../shared/consumer/slots/intake.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** An intake of twenty slots, ten of them always taken, whose polls wait until they are answered. */
function polling(batch: number, visible = 0) {
  const clock = { now: 0 };
  const polls: ((messages: readonly ReceivedMessage[]) => void)[] = [];
  const receive = () => new Promise<readonly ReceivedMessage[]>((resolve) => polls.push(resolve));
  const depth = vi.fn(async () => ({ visible, inFlight: 0, delayed: 0 }));
  const queue = { receive, depth } as unknown as Queue;
  const refill = { until: 60_000, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 30 };
  const intake = new Intake(
    { queue, refill, concurrency: 10, logger: recordingLogger(), now: () => clock.now },
    { receive: async () => {}, advance: () => {} },
  );
  intake.noteBatch(batch);
  const ask = async (underWay = 9, running = true) => {
    const state = { slots: 20, underWay: 10 + underWay, running, producing: false, inHand: 0, meanMilliseconds: 1_000 };
    intake.ask(
      () => ({ now: clock.now, ...state }),
      () => {},
    );
    const { expecting } = intake;
    await turn();
    return expecting;
  };
  return { intake, clock, polls, depth, ask };
}

test("Messages are expected of a queue that gave much, as soon as it is to be asked, for ten milliseconds", async () => {
  const { intake, clock, polls, ask } = polling(10);
  expect(intake.expecting).toBe(false);
  expect(await ask()).toBe(true);
  expect(polls).toHaveLength(1);
  clock.now = 9;
  expect(intake.expecting).toBe(true);
  clock.now = 10;
  // A queue that held any would have answered.
  expect(intake.expecting).toBe(false);
  expect(intake.polling).toBe(true);
});

test("A poll that was just begun is expected to bring nothing where an older one waits", async () => {
  const { intake, clock, polls, ask } = polling(10);
  await ask();
  clock.now = 10;
  await ask(8);
  expect(polls).toHaveLength(2);
  expect(intake.expecting).toBe(false);
  // The first one came back: now the second is the oldest.
  polls[0]?.(Array.from({ length: 1 }, () => ({}) as ReceivedMessage));
  await turn();
  expect(intake.expecting).toBe(true);
});

test("No message is expected of a queue that gave little", async () => {
  const { intake, polls, ask } = polling(9);
  expect(await ask()).toBe(false);
  expect(polls).toHaveLength(1);
  expect(intake.expecting).toBe(false);
});

test("How much the queue holds is asked where few slots are free: others need not wait for the answer", async () => {
  const { depth, polls, ask } = polling(10, 100);
  await ask(0);
  expect(depth).not.toHaveBeenCalled();
  expect(polls).toHaveLength(1);
  await ask(5);
  expect(depth).toHaveBeenCalledTimes(1);
});

test("How much the queue holds is asked for as long as something runs: a poll that takes its time says nothing of it", async () => {
  const { clock, depth, ask } = polling(10, 100);
  await ask(9);
  expect(depth).toHaveBeenCalledTimes(1);
  clock.now = 1_500;
  await ask(10);
  expect(depth).toHaveBeenCalledTimes(2);
  clock.now = 3_000;
  await ask(10, false);
  await turn();
  expect(depth).toHaveBeenCalledTimes(2);
});

test("Where nothing runs any more, a turn goes by before the queue is asked: what has ended is recorded first", async () => {
  const { intake, polls, ask } = polling(10);
  await ask(0, false);
  expect(intake.polling).toBe(true);
  expect(polls).toEqual([]);
  await turn();
  expect(polls).toHaveLength(1);
});

test("After its end nothing is asked for", async () => {
  const { intake, depth, polls, ask } = polling(10, 100);
  intake.end();
  await ask(0);
  await turn();
  expect([polls, depth.mock.calls]).toEqual([[], []]);
});
